/* A reset by the core's own request, which resets all of the chip on STM32 and nRF52. */
#include "flashed.h"

#define SCB_AIRCR 0xe000ed0cu
#define AIRCR_KEY (0x05fau << 16)
#define AIRCR_SYSRESETREQ (1u << 2)

void board_reset(void) {
  __asm__ volatile("dsb" ::: "memory");
  REGISTER(SCB_AIRCR) = AIRCR_KEY | AIRCR_SYSRESETREQ;
  for (;;) {
  }
}
