#ifndef TFLM_ERROR_REPORTER_H_
#define TFLM_ERROR_REPORTER_H_
#include <stdarg.h>
namespace tflite {
class ErrorReporter {
 public:
  virtual ~ErrorReporter() = default;
  virtual int Report(const char *format, va_list args) = 0;
};
}  // namespace tflite
#endif
