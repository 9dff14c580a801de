/* STM32L4 and L4+: the PLL on the internal 16 MHz oscillator, the console on LPUART1, clocked by the core's clock.
 * Registers: ST RM0351 (L496) and RM0432 (L4R5). */
#include HARNESS_BOARD
#define GPIO_BASE 0x48000000u
#include "stm32.h"

#define RCC 0x40021000u
#define RCC_CR (RCC + 0x00)
#define RCC_CFGR (RCC + 0x08)
#define RCC_PLLCFGR (RCC + 0x0c)
#define RCC_AHB2ENR (RCC + 0x4c)
#define RCC_APB1ENR1 (RCC + 0x58)
#define RCC_APB1ENR2 (RCC + 0x5c)
#define RCC_CCIPR (RCC + 0x88)
#define PWR 0x40007000u
#define PWR_CR2 (PWR + 0x04)
#define PWR_CR5 (PWR + 0x80)
#define FLASH_ACR 0x40022000u

#define CR_HSION (1u << 8)
#define CR_HSIRDY (1u << 10)
#define CR_PLLON (1u << 24)
#define CR_PLLRDY (1u << 25)
#define PLLCFGR_HSI 2u
#define PLLCFGR_REN (1u << 24)
#define CFGR_SW_PLL 3u
#define CFGR_SWS_PLL (3u << 2)
#define CFGR_SWS (3u << 2)
#define CFGR_HPRE_DIV2 (8u << 4)
#define APB1ENR1_PWREN (1u << 28)
#define APB1ENR2_LPUART1EN (1u << 0)
#define CCIPR_LPUART1SEL 10
#define CCIPR_SYSCLK 1u
#define CR2_IOSV (1u << 9)
#define CR5_R1MODE (1u << 8)
#define ACR_LATENCY 15u

#define HSI_HZ 16000000u
#define RESET_HZ 4000000u /* MSI, range 6 */
#define PLL_M 2u
#define PLL_R 2u
_Static_assert(HSI_HZ / PLL_M * PLL_N / PLL_R == HARNESS_CLOCK_HZ, "the PLL does not make the platform's clock");
_Static_assert(HSI_HZ / PLL_M * PLL_N <= 344000000u, "above what the PLL's oscillator can do");

/* The instruction and data caches of the flash are on after reset, its prefetch is off; both stay so. */
static int raise_clock(void) {
  REGISTER(RCC_CR) |= CR_HSION;
  if (!wait_for(RCC_CR, CR_HSIRDY, CR_HSIRDY)) return 0;
  REGISTER(RCC_PLLCFGR) = PLLCFGR_HSI | (PLL_M - 1) << 4 | PLL_N << 8 | PLLCFGR_REN | (PLL_R / 2 - 1) << 25;
  REGISTER(RCC_CR) |= CR_PLLON;
  if (!wait_for(RCC_CR, CR_PLLRDY, CR_PLLRDY)) return 0;
  set_field(FLASH_ACR, 0, ACR_LATENCY, HARNESS_WAIT_STATES);
  if (!wait_for(FLASH_ACR, ACR_LATENCY, HARNESS_WAIT_STATES)) return 0;
#if BOOST
  REGISTER(PWR_CR5) &= ~CR5_R1MODE; /* range 1 boost, which above 80 MHz needs; half the clock while switching */
  REGISTER(RCC_CFGR) |= CFGR_HPRE_DIV2;
#endif
  REGISTER(RCC_CFGR) |= CFGR_SW_PLL;
  if (!wait_for(RCC_CFGR, CFGR_SWS, CFGR_SWS_PLL)) {
    REGISTER(RCC_CFGR) = 0;
    return 0;
  }
#if BOOST
  pause();
  REGISTER(RCC_CFGR) &= ~CFGR_HPRE_DIV2;
#endif
  return 1;
}

uint32_t board_init(void) {
  REGISTER(RCC_APB1ENR1) |= APB1ENR1_PWREN;
  (void)REGISTER(RCC_APB1ENR1); /* until the clock is there */
  board_clock_full = raise_clock();
  board_clock_hz = board_clock_full ? HARNESS_CLOCK_HZ : RESET_HZ;

  REGISTER(PWR_CR2) |= CR2_IOSV; /* port G has a supply of its own */
  REGISTER(RCC_AHB2ENR) |= 1u << (CONSOLE_PORT - 'A');
  (void)REGISTER(RCC_AHB2ENR);
  connect_pin(GPIO_PORT(CONSOLE_PORT), CONSOLE_TX, CONSOLE_FUNCTION);
  connect_pin(GPIO_PORT(CONSOLE_PORT), CONSOLE_RX, CONSOLE_FUNCTION);
  set_field(RCC_CCIPR, CCIPR_LPUART1SEL, 3u, CCIPR_SYSCLK);
  REGISTER(RCC_APB1ENR2) |= APB1ENR2_LPUART1EN;
  (void)REGISTER(RCC_APB1ENR2);
  return board_clock_hz;
}
