/* Reset and vector table of every Cortex-M. The stack lies at the bottom of RAM, so that running over it faults. */
#include <stdint.h>

#include "memory.h"

extern int main(void);
extern void (*link_init_array_start[])(void);
extern void (*link_init_array_end[])(void);

void reset_handler(void);
void fault_handler(void);
void systick_handler(void); /* fault_handler, where nothing else is linked in */

#if defined(__ARM_ARCH_8M_MAIN__) || defined(__ARM_ARCH_8_1M_MAIN__)

/* These cores have a stack limit register, which the reset handler sets. */
static void guard_stack(void) {}

#else

#define MPU_TYPE (*(volatile uint32_t *)0xe000ed90u)
#define MPU_CTRL (*(volatile uint32_t *)0xe000ed94u)
#define MPU_RBAR (*(volatile uint32_t *)0xe000ed9cu)
#define MPU_RASR (*(volatile uint32_t *)0xe000eda0u)
#define GUARD_BYTES 0x10000u
#define RASR_NO_ACCESS_64K ((15u << 1) | 1u)
#define RBAR_VALID (1u << 4)
#define CTRL_ENABLE_WITH_DEFAULT_MAP 5u

/* Forbids the 64 KiB below the stack, and so below RAM: not every bus reports an access where nothing is. */
static void guard_stack(void) {
  if (MPU_TYPE == 0) return; /* the core was made without one */
  MPU_RBAR = ((uint32_t)(uintptr_t)link_stack_bottom - GUARD_BYTES) | RBAR_VALID;
  MPU_RASR = RASR_NO_ACCESS_64K;
  MPU_CTRL = CTRL_ENABLE_WITH_DEFAULT_MAP;
  __asm__ volatile("dsb\n isb" ::: "memory");
}

#endif

static void __attribute__((used, noreturn)) start(void) {
  guard_stack();
  for (uint32_t *from = link_data_load, *to = link_data_start; to < link_data_end;) *to++ = *from++;
  for (uint32_t *word = link_bss_start; word < link_bss_end;) *word++ = 0;
  for (void (**constructor)(void) = link_init_array_start; constructor < link_init_array_end;) (*constructor++)();
  main();
  for (;;) {
  }
}

/* Naked: it paints the stack that a prologue would be using, and enables the FPU before any compiled code. */
__attribute__((naked, noreturn)) void reset_handler(void) {
  __asm__ volatile(
#ifdef __ARM_FP
      "ldr r0, =0xe000ed88\n"
      "ldr r1, [r0]\n"
      "movs r2, #0xf0\n"
      "lsls r2, r2, #16\n"
      "orrs r1, r2\n"
      "str r1, [r0]\n"
      "dsb\n"
      "isb\n"
#endif
#if defined(__ARM_ARCH_8M_MAIN__) || defined(__ARM_ARCH_8_1M_MAIN__)
      "ldr r0, =link_stack_bottom\n"
      "msr msplim, r0\n"
#endif
      "ldr r0, =link_stack_bottom\n"
      "ldr r1, =link_stack_top\n"
      "ldr r2, =0xa5a5a5a5\n"
      "1: str r2, [r0]\n"
      "adds r0, #4\n"
      "cmp r0, r1\n"
      "blo 1b\n"
      "bl start\n"
      ".ltorg\n");
}

typedef void (*vector)(void);

/* The sixteen of the core. No interrupt is enabled but the SysTick of firmware that counts cycles with it; one that came
 * would be reported as a fault with its number. */
__attribute__((section(".vectors"), used)) static const vector kVectors[16] = {
    (vector)(uintptr_t)link_stack_top,
    reset_handler,
    fault_handler, /* NMI */
    fault_handler, /* HardFault */
    fault_handler, /* MemManage */
    fault_handler, /* BusFault */
    fault_handler, /* UsageFault */
    fault_handler, /* SecureFault */
    0,
    0,
    0,
    fault_handler, /* SVCall */
    fault_handler, /* DebugMonitor */
    0,
    fault_handler, /* PendSV */
    systick_handler,
};
