/* STM32F446 and F469: the PLL on the internal 16 MHz oscillator, over-drive, the console clocked by APB1.
 * Registers: ST RM0390 (F446) and RM0386 (F469). */
#include HARNESS_BOARD
#define GPIO_BASE 0x40020000u
#include "stm32.h"

#define RCC 0x40023800u
#define RCC_CR (RCC + 0x00)
#define RCC_PLLCFGR (RCC + 0x04)
#define RCC_CFGR (RCC + 0x08)
#define RCC_AHB1ENR (RCC + 0x30)
#define RCC_APB1ENR (RCC + 0x40)
#define PWR 0x40007000u
#define PWR_CR (PWR + 0x00)
#define PWR_CSR (PWR + 0x04)
#define FLASH_ACR 0x40023c00u

#define CR_HSIRDY (1u << 1)
#define CR_PLLON (1u << 24)
#define CR_PLLRDY (1u << 25)
#define CFGR_SW_PLL 2u
#define CFGR_SWS (3u << 2)
#define CFGR_SWS_PLL (2u << 2)
#define CFGR_PPRE1_DIV4 (5u << 10)
#define CFGR_PPRE2_DIV2 (4u << 13)
#define APB1ENR_PWREN (1u << 28)
#define CR_ODEN (1u << 16)
#define CR_ODSWEN (1u << 17)
#define CSR_ODRDY (1u << 16)
#define CSR_ODSWRDY (1u << 17)
#define ACR_LATENCY 15u
#define ACR_PRFTEN (1u << 8)
#define ACR_ICEN (1u << 9)
#define ACR_DCEN (1u << 10)

#define HSI_HZ 16000000u /* also the clock after reset */
#define PLL_M 8u
#define PLL_N 180u
#define PLL_P 2u
#define PLL_Q 8u
#define PLL_R 2u
#define APB1_DIVIDER 4u
_Static_assert(HSI_HZ / PLL_M * PLL_N / PLL_P == HARNESS_CLOCK_HZ, "the PLL does not make the platform's clock");
_Static_assert(HSI_HZ / PLL_M * PLL_N <= 432000000u, "above what the PLL's oscillator can do");
_Static_assert(HARNESS_CLOCK_HZ / APB1_DIVIDER <= 45000000u, "above what APB1 can do");

/* The core voltage is scale 1 after reset; over-drive, which more than 168 MHz needs, wants a running PLL. */
static int raise_clock(void) {
  if (!wait_for(RCC_CR, CR_HSIRDY, CR_HSIRDY)) return 0;
  REGISTER(RCC_PLLCFGR) = PLL_M | PLL_N << 6 | (PLL_P / 2 - 1) << 16 | PLL_Q << 24 | PLL_R << 28;
  REGISTER(RCC_CR) |= CR_PLLON;
  if (!wait_for(RCC_CR, CR_PLLRDY, CR_PLLRDY)) return 0;
  REGISTER(PWR_CR) |= CR_ODEN;
  if (!wait_for(PWR_CSR, CSR_ODRDY, CSR_ODRDY)) return 0;
  REGISTER(PWR_CR) |= CR_ODSWEN;
  if (!wait_for(PWR_CSR, CSR_ODSWRDY, CSR_ODSWRDY)) return 0;
  REGISTER(FLASH_ACR) = ACR_PRFTEN | ACR_ICEN | ACR_DCEN | HARNESS_WAIT_STATES;
  if (!wait_for(FLASH_ACR, ACR_LATENCY, HARNESS_WAIT_STATES)) return 0;
  REGISTER(RCC_CFGR) = CFGR_PPRE1_DIV4 | CFGR_PPRE2_DIV2 | CFGR_SW_PLL;
  if (wait_for(RCC_CFGR, CFGR_SWS, CFGR_SWS_PLL)) return 1;
  REGISTER(RCC_CFGR) = 0;
  return 0;
}

uint32_t board_init(void) {
  REGISTER(RCC_APB1ENR) |= APB1ENR_PWREN | 1u << CONSOLE_ENABLE;
  REGISTER(RCC_AHB1ENR) |= 1u << (CONSOLE_PORT - 'A');
  (void)REGISTER(RCC_AHB1ENR); /* until the clocks are there */
  board_clock_full = raise_clock();
  board_clock_hz = board_clock_full ? HARNESS_CLOCK_HZ : HSI_HZ;
  connect_pin(GPIO_PORT(CONSOLE_PORT), CONSOLE_TX, CONSOLE_FUNCTION);
  connect_pin(GPIO_PORT(CONSOLE_PORT), CONSOLE_RX, CONSOLE_FUNCTION);
  return board_clock_full ? HARNESS_CLOCK_HZ / APB1_DIVIDER : HSI_HZ;
}
