/* What the files of this folder share: they make firmware that is flashed on a real board. None of it runs under
 * emulation, and none of it has been run on a board.
 *
 * HARNESS_CLOCK_HZ, HARNESS_WAIT_STATES (of the platform's platform.toml), HARNESS_MARKS (how often harness_mark is
 * called) and HARNESS_BOARD (the header with what differs between the boards of a family) come from the build. */
#ifndef HARNESS_FLASHED_H_
#define HARNESS_FLASHED_H_

#include <stdint.h>

#include "board.h"

#define REGISTER(address) (*(volatile uint32_t *)(uintptr_t)(address))

/* Polls before something counts as not getting ready: 25 ms and more on every board, where the slowest of them, a
 * crystal oscillator, takes a few milliseconds. */
#ifndef WAIT_POLLS
#define WAIT_POLLS 1000000u
#endif

/* Waits until the masked bits of a register have a value; 0 where they never get it. */
static inline int wait_for(uintptr_t address, uint32_t mask, uint32_t value) {
  for (uint32_t poll = 0; poll < WAIT_POLLS; ++poll) {
    if ((REGISTER(address) & mask) == value) return 1;
  }
  return 0;
}

/* A microsecond at least, at any clock up to 200 MHz. */
static inline void pause(void) {
  for (volatile int round = 0; round < 100; ++round) {
  }
}

/* The core's clock, as board_init() left it: HARNESS_CLOCK_HZ where `board_clock_full`; else something did not get ready
 * in time, and it is the one after reset. */
extern uint32_t board_clock_hz;
extern int board_clock_full;

/* Resets the board, as its button does. */
void board_reset(void) __attribute__((noreturn));

#endif /* HARNESS_FLASHED_H_ */
