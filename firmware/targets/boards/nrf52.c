/* nRF52840: the core runs at 64 MHz from reset; the crystal makes that exact, the flash's cache makes it fast. Registers:
 * Nordic's nRF52840 Product Specification. */
#include HARNESS_BOARD
#include "flashed.h"
#include "memory.h"

#define CLOCK 0x40000000u
#define CLOCK_TASKS_HFCLKSTART (CLOCK + 0x000)
#define CLOCK_EVENTS_HFCLKSTARTED (CLOCK + 0x100)
#define NVMC_ICACHECNF 0x4001e540u
#define ICACHECNF_CACHEEN 1u
#define GPIO_P0 0x50000000u
#define GPIO_OUTSET (GPIO_P0 + 0x508)
#define GPIO_DIRSET (GPIO_P0 + 0x518)
#define GPIO_PIN_CNF (GPIO_P0 + 0x700)
#define PIN_CNF_PULL_UP (3u << 2)
#define UARTE_PSEL_TXD ((uintptr_t)link_uart_base + 0x50c)
#define UARTE_PSEL_RXD ((uintptr_t)link_uart_base + 0x514)

_Static_assert(HARNESS_CLOCK_HZ == 64000000u, "the nRF52840 has no other clock");

uint32_t board_init(void) {
  REGISTER(NVMC_ICACHECNF) = ICACHECNF_CACHEEN;
  REGISTER(CLOCK_EVENTS_HFCLKSTARTED) = 0;
  REGISTER(CLOCK_TASKS_HFCLKSTART) = 1;
  board_clock_full = wait_for(CLOCK_EVENTS_HFCLKSTARTED, 1u, 1u); /* else the internal oscillator goes on */
  board_clock_hz = HARNESS_CLOCK_HZ;
  REGISTER(GPIO_OUTSET) = 1u << CONSOLE_TX;
  REGISTER(GPIO_DIRSET) = 1u << CONSOLE_TX;
  REGISTER(GPIO_PIN_CNF + 4u * CONSOLE_RX) = PIN_CNF_PULL_UP;
  REGISTER(UARTE_PSEL_TXD) = CONSOLE_TX;
  REGISTER(UARTE_PSEL_RXD) = CONSOLE_RX;
  return HARNESS_CLOCK_HZ;
}
