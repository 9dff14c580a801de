/* Every exception ends here: prints the stacked registers and the fault status, and ends the run. */
#include <stdint.h>

#include "hal.h"
#include "image.h"
#include "memory.h"
#include "print.h"
#include "wire.h"

static uint32_t status_register(uint32_t address) {
#if defined(__ARM_ARCH_6M__)
  (void)address;
  return 0; /* ARMv6-M has none */
#else
  return *(volatile uint32_t *)address;
#endif
}

/* `frame` is r0-r3, r12, lr, pc, xPSR as the core stacked them; where the stacking itself failed it lies outside of the
 * stack and is not read. */
void __attribute__((used, noreturn)) report_fault(const uint32_t *frame, uint32_t exception) {
  int in_stack = frame >= link_stack_bottom && frame + 8 <= link_stack_top;
  print_begin(WIRE_FAULT);
  print_unsigned("exception", exception);
  print_hex32("pc", in_stack ? frame[6] : 0);
  print_hex32("lr", in_stack ? frame[5] : 0);
  print_hex32("xpsr", in_stack ? frame[7] : 0);
  print_hex32("sp", (uint32_t)(uintptr_t)frame);
  print_hex32("cfsr", status_register(0xe000ed28u));
  print_hex32("hfsr", status_register(0xe000ed2cu));
  print_hex32("mmfar", status_register(0xe000ed34u));
  print_hex32("bfar", status_register(0xe000ed38u));
  print_unsigned("overflow", frame < link_stack_bottom || hal_stack_used() >= hal_stack_reserved());
  print_end();
  harness_finish(WIRE_STATUS_FAULT);
}

/* Takes the stack anew: the fault may be that it is full. */
__attribute__((naked)) void fault_handler(void) {
  __asm__ volatile(
      "mrs r0, msp\n"
      "mrs r1, ipsr\n"
#if defined(__ARM_ARCH_8M_MAIN__) || defined(__ARM_ARCH_8_1M_MAIN__)
      "movs r2, #0\n"
      "msr msplim, r2\n"
#endif
      "ldr r2, =link_stack_top\n"
      "mov sp, r2\n"
      "bl report_fault\n"
      ".ltorg\n");
}

void fault_handler(void);
void __attribute__((weak, alias("fault_handler"))) systick_handler(void);
