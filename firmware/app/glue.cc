// What TFLM asks of an application, whatever its release; app/vintage/platform.cc has what the packaged one brings along.
#include <stdarg.h>

#include "format.h"
#include "hal.h"
#include "print.h"
#include "session.h"
#include "vintage.h"
#include "wire.h"

namespace harness {
namespace {

void PrintText(const char *text) {
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

void Emit(void *, char character) {
  if (character != '\n' && character != '\r') hal_write(&character, 1);
}

void PrintMessage(const char *format, va_list arguments) {
  if (!reporter()->Passes(format)) return;
  print_begin(WIRE_LOG);
  hal_write(" text=", 6);
  format_write(Emit, nullptr, format, arguments);
  print_end();
}

}  // namespace

// DebugLog, by its name in object files: kernels and failed checks print here directly. Releases declare it with a text
// alone, or with a format and its arguments; a caller that knows of no arguments passes none, and none are looked at.
__attribute__((used)) void Log(const char *text, va_list arguments) __asm__("DebugLog");
void Log(const char *text, va_list arguments) {
  if (vintage::LogTakesArguments()) {
    PrintMessage(text, arguments);
  } else {
    PrintText(text);
  }
}

}  // namespace harness
