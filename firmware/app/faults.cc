// Applications that fail on purpose, so that a scenario can see how a failure is reported.
#include "hal.h"
#include "image.h"
#include "session.h"
#include "wire.h"

namespace {

void OnWatchdog() { harness_finish(harness::PrintError(WIRE_STAGE_WATCHDOG, -1)); }

// Each call needs 1 KiB of stack; the address that goes down keeps the compiler from making a loop of it.
__attribute__((noinline)) uint32_t Recurse(volatile uint8_t *above) {
  volatile uint8_t frame[1024];
  frame[0] = above[0];
  return Recurse(frame) + frame[sizeof frame - 1];
}

}  // namespace

// A hang that a watchdog ends: the timer's first interrupt comes, and nothing has reset it.
extern "C" int app_hang(void) {
  harness::PrintBegin();
  hal_timer_start(firmware_schedule()->ticks, OnWatchdog);
  for (;;) __asm__ volatile("" ::: "memory");
}

// A stack that overflows.
extern "C" int app_overflow(void) {
  harness::PrintBegin();
  volatile uint8_t start = 0;
  return static_cast<int>(Recurse(&start));
}
