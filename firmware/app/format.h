/* What TFLM logs with arguments, written without printf, whose code and stack would be part of what is measured. */
#ifndef HARNESS_FORMAT_H_
#define HARNESS_FORMAT_H_

#include <stdarg.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Takes one character; `sink` is what was given with it. */
typedef void (*format_emit)(void *sink, char character);

/* Knows %d %i %u %x %p %c %s %% with the lengths l, ll, z, h and hh; flags, width and precision are passed over. What it does
 * not know (a real number, whose argument is taken) is written as "?". */
void format_write(format_emit emit, void *sink, const char *format, va_list arguments);

#ifdef __cplusplus
}
#endif

#endif /* HARNESS_FORMAT_H_ */
