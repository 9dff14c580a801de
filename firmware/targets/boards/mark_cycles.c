/* The mark on a board: each call samples the core's cycle counter.
 *
 * A segment between two marks holds, besides what is measured, the call and the end of the one mark and the beginning of
 * the other: the same each time, and measured before the run. Counts are modulo 2^32. */
#include <stddef.h>

#include "flashed.h"
#include "mark.h"
#include "print.h"
#include "wire.h"

#if defined(__ARM_ARCH_6M__)

/* No DWT cycle counter. SysTick counts 24 bits down, and its interrupt the rounds: about 40 cycles every 2^24. */
#define SYST_CSR 0xe000e010u
#define SYST_RVR 0xe000e014u
#define SYST_CVR 0xe000e018u
#define CSR_ENABLE 1u
#define CSR_TICKINT 2u
#define CSR_CORE_CLOCK 4u
#define LARGEST 0x00ffffffu

static volatile uint32_t rounds;

void systick_handler(void);
void systick_handler(void) { ++rounds; }

static void start_counter(void) {
  REGISTER(SYST_RVR) = LARGEST;
  REGISTER(SYST_CVR) = 0;
  REGISTER(SYST_CSR) = CSR_ENABLE | CSR_TICKINT | CSR_CORE_CLOCK;
}

/* The barrier lets an interrupt in that the reading was too late for, so that the second look at `rounds` sees it. */
static inline uint32_t cycles(void) {
  uint32_t before, left;
  do {
    before = rounds;
    left = REGISTER(SYST_CVR);
    __asm__ volatile("isb" ::: "memory");
  } while (rounds != before);
  return (before << 24) + (LARGEST - left);
}

#else

#define DEMCR 0xe000edfcu
#define DEMCR_TRCENA (1u << 24)
#define DWT_CTRL 0xe0001000u
#define DWT_CYCCNT 0xe0001004u
#define DWT_LAR 0xe0001fb0u
#define CTRL_CYCCNTENA 1u
#define LAR_KEY 0xc5acce55u

static void start_counter(void) {
  REGISTER(DEMCR) |= DEMCR_TRCENA;
  REGISTER(DWT_LAR) = LAR_KEY; /* the M7's is locked after reset; elsewhere nothing is there, or it does no harm */
  REGISTER(DWT_CYCCNT) = 0;
  REGISTER(DWT_CTRL) |= CTRL_CYCCNTENA;
}

static inline uint32_t cycles(void) { return REGISTER(DWT_CYCCNT); }

#endif

static uint32_t samples[HARNESS_MARKS];
static size_t taken;

__attribute__((noinline, used)) void harness_mark(void) {
  uint32_t now = cycles();
  if (taken < HARNESS_MARKS) samples[taken++] = now;
}

/* The least of a few empty segments: the first ones may wait for code to come into a cache. */
static uint32_t empty_segment(void) {
  uint32_t least = UINT32_MAX;
  for (int round = 0; round < 8; ++round) {
    taken = 0;
    harness_mark();
    harness_mark();
    uint32_t count = samples[1] - samples[0];
    if (count < least) least = count;
  }
  taken = 0;
  return least;
}

void harness_marks_begin(void) {
  start_counter();
  print_begin(WIRE_BOARD);
  print_unsigned("clock_hz", board_clock_hz);
  print_unsigned("full", (uint32_t)board_clock_full);
  print_unsigned("overhead", empty_segment());
  print_end();
}

void harness_marks_print(void) {
  for (size_t i = 1; i < taken; ++i) {
    print_begin(WIRE_CYCLES);
    print_unsigned("index", i - 1);
    print_unsigned("count", samples[i] - samples[i - 1]);
    print_end();
  }
}
