// What TFLM leaves to the platform, for libraries that were built without it (and before theirs, where they have it):
// finished text, time and set-up. Only the names count here, so none of TFLM's headers, which differ, is included.
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "format.h"

namespace {

struct Buffer {
  char *next;
  char *end;  // room for the final zero is behind it
  int written;
};

void Emit(void *sink, char character) {
  auto *buffer = static_cast<Buffer *>(sink);
  if (buffer->next < buffer->end) *buffer->next++ = character;
  ++buffer->written;
}

}  // namespace

extern "C" int DebugVsnprintf(char *text, size_t size, const char *format, va_list arguments) {
  if (size == 0) return 0;
  Buffer buffer = {text, text + size - 1, 0};
  format_write(Emit, &buffer, format, arguments);
  *buffer.next = '\0';
  return buffer.written;
}

namespace tflite {

// Nothing in the firmware asks for the time: instructions are counted from outside.
uint32_t ticks_per_second();
uint32_t ticks_per_second() { return 0; }
uint32_t GetCurrentTimeTicks();
uint32_t GetCurrentTimeTicks() { return 0; }

void InitializeTarget();
void InitializeTarget() {}

}  // namespace tflite
