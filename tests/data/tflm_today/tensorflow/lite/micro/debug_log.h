#ifndef TFLM_DEBUG_LOG_H_
#define TFLM_DEBUG_LOG_H_
#include <stdarg.h>
#include <stddef.h>
extern "C" {
void DebugLog(const char *format, va_list args);
int DebugVsnprintf(char *buffer, size_t size, const char *format, va_list args);
}
#endif
