/* The HAL's timer: SysTick, which every core here has and both emulators drive by what is executed. */
#include <stdint.h>

#include "hal.h"

#define SYST_CSR (*(volatile uint32_t *)0xe000e010u)
#define SYST_RVR (*(volatile uint32_t *)0xe000e014u)
#define SYST_CVR (*(volatile uint32_t *)0xe000e018u)
#define CSR_ENABLE 1u
#define CSR_TICKINT 2u
#define CSR_CORE_CLOCK 4u

static volatile uint32_t rounds;
static uint32_t period;
static void (*handler)(void);

void systick_handler(void);
void systick_handler(void) {
  ++rounds;
  handler();
}

void hal_timer_start(uint32_t ticks, void (*on_period)(void)) {
  SYST_CSR = 0;
  rounds = 0;
  period = ticks;
  handler = on_period;
  SYST_RVR = ticks - 1;
  SYST_CVR = 0;
  SYST_CSR = CSR_ENABLE | CSR_TICKINT | CSR_CORE_CLOCK;
}

void hal_timer_stop(void) { SYST_CSR = 0; }

uint32_t hal_timer_rounds(void) { return rounds; }

/* The barrier lets an interrupt in that the reading was too late for, so that the second look at `rounds` sees it. */
uint64_t hal_timer_now(void) {
  uint32_t before, left;
  do {
    before = rounds;
    left = SYST_CVR;
    __asm__ volatile("isb" ::: "memory");
  } while (rounds != before);
  return (uint64_t)before * period + (period - 1 - left);
}

/* With interrupts off, one that comes between the look and the sleep ends the sleep instead of being missed. */
void hal_sleep_while(const volatile uint32_t *counter, uint32_t value) {
  for (;;) {
    __asm__ volatile("cpsid i" ::: "memory");
    if (*counter != value) break;
    __asm__ volatile("dsb\n wfi\n cpsie i\n isb" ::: "memory");
  }
  __asm__ volatile("cpsie i\n isb" ::: "memory");
}
