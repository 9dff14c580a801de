/* STM32U575 with TrustZone off, as it is delivered: voltage range 1 with the EPOD booster, PLL1 on the internal 16 MHz
 * oscillator, the instruction cache; the console on USART1, clocked by the core's clock. Registers: ST RM0456. */
#include HARNESS_BOARD
#define GPIO_BASE 0x42020000u
#include "stm32.h"

#define RCC 0x46020c00u
#define RCC_CR (RCC + 0x00)
#define RCC_CFGR1 (RCC + 0x1c)
#define RCC_CFGR2 (RCC + 0x20)
#define RCC_PLL1CFGR (RCC + 0x28)
#define RCC_PLL1DIVR (RCC + 0x34)
#define RCC_AHB2ENR1 (RCC + 0x8c)
#define RCC_AHB3ENR (RCC + 0x94)
#define RCC_APB2ENR (RCC + 0xa4)
#define RCC_CCIPR1 (RCC + 0xe0)
#define PWR 0x46020800u
#define PWR_VOSR (PWR + 0x0c)
#define FLASH_ACR 0x40022000u
#define ICACHE 0x40030400u
#define ICACHE_CR (ICACHE + 0x00)
#define ICACHE_SR (ICACHE + 0x04)

#define CR_HSION (1u << 8)
#define CR_HSIRDY (1u << 10)
#define CR_PLL1ON (1u << 24)
#define CR_PLL1RDY (1u << 25)
#define PLL1CFGR_HSI 2u
#define PLL1CFGR_RGE_8_TO_16_MHZ (3u << 2)
#define PLL1CFGR_MBOOST_DIV2 (1u << 12)
#define PLL1CFGR_REN (1u << 18)
#define CFGR1_SW_PLL1 3u
#define CFGR1_SWS (3u << 2)
#define CFGR1_SWS_PLL1 (3u << 2)
#define CFGR2_HPRE_DIV2 8u
#define AHB3ENR_PWREN (1u << 2)
#define APB2ENR_USART1EN (1u << 14)
#define CCIPR1_USART1SEL 0
#define CCIPR1_SYSCLK 1u
#define VOSR_VOS 16
#define VOSR_RANGE_1 3u
#define VOSR_BOOSTRDY (1u << 14)
#define VOSR_VOSRDY (1u << 15)
#define VOSR_BOOSTEN (1u << 18)
#define ACR_LATENCY 15u
#define ACR_PRFTEN (1u << 8)
#define CR_EN 1u
#define SR_BUSYF 1u

#define HSI_HZ 16000000u
#define RESET_HZ 4000000u /* MSIS, range 4 */
#define PLL_M 2u
#define PLL_N 40u
#define PLL_R 2u
_Static_assert(HSI_HZ / PLL_M * PLL_N / PLL_R == HARNESS_CLOCK_HZ, "the PLL does not make the platform's clock");
_Static_assert(HSI_HZ / PLL_M * PLL_N <= 544000000u, "above what the PLL's oscillator can do");

/* The booster runs on the PLL's input divided by MBOOST, 8 MHz of the 4 to 16 that it takes. Above 80 MHz the clock is
 * switched in two steps, as ST's own code does. */
static int raise_clock(void) {
  REGISTER(RCC_CR) |= CR_HSION;
  if (!wait_for(RCC_CR, CR_HSIRDY, CR_HSIRDY)) return 0;
  REGISTER(RCC_PLL1CFGR) =
      PLL1CFGR_HSI | PLL1CFGR_RGE_8_TO_16_MHZ | (PLL_M - 1) << 8 | PLL1CFGR_MBOOST_DIV2 | PLL1CFGR_REN;
  REGISTER(RCC_PLL1DIVR) = (PLL_N - 1) | (PLL_R - 1) << 9 | (PLL_R - 1) << 16 | (PLL_R - 1) << 24;
  set_field(PWR_VOSR, VOSR_VOS, 3u, VOSR_RANGE_1);
  if (!wait_for(PWR_VOSR, VOSR_VOSRDY, VOSR_VOSRDY)) return 0;
  REGISTER(PWR_VOSR) |= VOSR_BOOSTEN;
  REGISTER(RCC_CR) |= CR_PLL1ON;
  if (!wait_for(RCC_CR, CR_PLL1RDY, CR_PLL1RDY)) return 0;
  if (!wait_for(PWR_VOSR, VOSR_BOOSTRDY, VOSR_BOOSTRDY)) return 0;
  REGISTER(FLASH_ACR) = ACR_PRFTEN | HARNESS_WAIT_STATES;
  if (!wait_for(FLASH_ACR, ACR_LATENCY, HARNESS_WAIT_STATES)) return 0;
  REGISTER(RCC_CFGR2) |= CFGR2_HPRE_DIV2;
  REGISTER(RCC_CFGR1) |= CFGR1_SW_PLL1;
  int switched = wait_for(RCC_CFGR1, CFGR1_SWS, CFGR1_SWS_PLL1);
  if (!switched) REGISTER(RCC_CFGR1) &= ~CFGR1_SW_PLL1;
  pause();
  REGISTER(RCC_CFGR2) &= ~CFGR2_HPRE_DIV2;
  return switched;
}

uint32_t board_init(void) {
  REGISTER(RCC_AHB3ENR) |= AHB3ENR_PWREN;
  (void)REGISTER(RCC_AHB3ENR); /* until the clock is there */
  board_clock_full = raise_clock();
  /* The cache empties itself after reset. It stays off where that does not end, and the clock counts as not full. */
  if (!wait_for(ICACHE_SR, SR_BUSYF, 0)) {
    board_clock_full = 0;
  } else {
    REGISTER(ICACHE_CR) |= CR_EN;
  }
  board_clock_hz = (REGISTER(RCC_CFGR1) & CFGR1_SWS) == CFGR1_SWS_PLL1 ? HARNESS_CLOCK_HZ : RESET_HZ;

  REGISTER(RCC_AHB2ENR1) |= 1u << (CONSOLE_PORT - 'A');
  (void)REGISTER(RCC_AHB2ENR1);
  connect_pin(GPIO_PORT(CONSOLE_PORT), CONSOLE_TX, CONSOLE_FUNCTION);
  connect_pin(GPIO_PORT(CONSOLE_PORT), CONSOLE_RX, CONSOLE_FUNCTION);
  set_field(RCC_CCIPR1, CCIPR1_USART1SEL, 3u, CCIPR1_SYSCLK);
  REGISTER(RCC_APB2ENR) |= APB2ENR_USART1EN;
  (void)REGISTER(RCC_APB2ENR);
  return board_clock_hz;
}
