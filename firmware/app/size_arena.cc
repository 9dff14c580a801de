// The application that finds the smallest arena: allocates in all the memory there is, then tries from what TFLM says it
// used upwards in steps of its own alignment. `arena_used_bytes` leaves out the planner's temporary space, so the
// smallest arena that works can be larger; it is never smaller.
#include "hal.h"
#include "image.h"
#include "print.h"
#include "session.h"
#include "wire.h"

namespace {

constexpr size_t kStep = 16;  // TFLM aligns its buffers to this

size_t TryArena(const harness_image *image, size_t size) {
  tflite::MicroInterpreter *interpreter = harness::MakeInterpreter(image, size);
  if (interpreter->AllocateTensors() != kTfLiteOk) return 0;
  bool was_quiet = harness::reporter()->quiet;
  harness::reporter()->quiet = true;  // arena_used_bytes() reports what it returns
  size_t used = interpreter->arena_used_bytes();
  harness::reporter()->quiet = was_quiet;
  return used;
}

}  // namespace

extern "C" int app_size_arena(void) {
  const harness_image *image = firmware_image();
  harness::PrintBegin();
  size_t used = TryArena(image, hal_arena_size());
  if (used == 0) return harness::PrintAllocationError();
  print_begin(WIRE_ARENA);
  print_unsigned("size", hal_arena_size());
  print_unsigned("used", used);
  print_end();

  harness::reporter()->quiet = true;
  size_t size = (used + kStep - 1) / kStep * kStep;
  while (TryArena(image, size) == 0) size += kStep;
  print_begin(WIRE_NEEDED);
  print_unsigned("size", size);
  print_end();
  return WIRE_STATUS_OK;
}
