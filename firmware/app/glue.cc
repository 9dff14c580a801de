// What TFLM and the C++ library ask of an application.
#include "hal.h"
#include "print.h"
#include "tensorflow/lite/micro/debug_log.h"
#include "wire.h"

#include <string.h>

// Kernels and failed checks print here directly.
extern "C" void DebugLog(const char *text) {
  static bool at_line_start = true;
  for (const char *c = text; *c != '\0'; ++c) {
    if (*c == '\r') continue;
    if (at_line_start) {
      print_begin(WIRE_LOG);
      hal_write(" text=", 6);
    }
    hal_write(c, 1);
    at_line_start = *c == '\n';
  }
}
