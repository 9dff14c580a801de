/* STM32F746 and F767: the PLL on the internal 16 MHz oscillator, over-drive, both caches; the console on USART3, clocked
 * by the core's clock. Registers: ST RM0385 (F746) and RM0410 (F767); caches: Armv7-M Architecture Reference Manual. */
#include HARNESS_BOARD
#define GPIO_BASE 0x40020000u
#include "stm32.h"

#define RCC 0x40023800u
#define RCC_CR (RCC + 0x00)
#define RCC_PLLCFGR (RCC + 0x04)
#define RCC_CFGR (RCC + 0x08)
#define RCC_AHB1ENR (RCC + 0x30)
#define RCC_APB1ENR (RCC + 0x40)
#define RCC_DCKCFGR2 (RCC + 0x90)
#define PWR 0x40007000u
#define PWR_CR1 (PWR + 0x00)
#define PWR_CSR1 (PWR + 0x04)
#define FLASH_ACR 0x40023c00u

#define CR_HSIRDY (1u << 1)
#define CR_PLLON (1u << 24)
#define CR_PLLRDY (1u << 25)
#define CFGR_SW_PLL 2u
#define CFGR_SWS (3u << 2)
#define CFGR_SWS_PLL (2u << 2)
#define CFGR_PPRE1_DIV4 (5u << 10)
#define CFGR_PPRE2_DIV2 (4u << 13)
#define APB1ENR_USART3EN (1u << 18)
#define APB1ENR_PWREN (1u << 28)
#define DCKCFGR2_USART3SEL 4
#define DCKCFGR2_SYSCLK 1u
#define CR1_ODEN (1u << 16)
#define CR1_ODSWEN (1u << 17)
#define CSR1_ODRDY (1u << 16)
#define CSR1_ODSWRDY (1u << 17)
#define ACR_LATENCY 15u
#define ACR_PRFTEN (1u << 8)
#define ACR_ARTEN (1u << 9)

#define SCB_CCR 0xe000ed14u
#define SCB_CCSIDR 0xe000ed80u
#define SCB_CSSELR 0xe000ed84u
#define SCB_ICIALLU 0xe000ef50u
#define SCB_DCISW 0xe000ef60u
#define CCR_DC (1u << 16)
#define CCR_IC (1u << 17)

#define HSI_HZ 16000000u /* also the clock after reset */
#define PLL_M 8u
#define PLL_N 216u
#define PLL_P 2u
#define PLL_Q 9u
#define PLL_R 2u /* the F746 has none, and keeps this value in reserved bits */
_Static_assert(HSI_HZ / PLL_M * PLL_N / PLL_P == HARNESS_CLOCK_HZ, "the PLL does not make the platform's clock");
_Static_assert(HSI_HZ / PLL_M * PLL_N <= 432000000u, "above what the PLL's oscillator can do");

/* The core voltage is scale 1 after reset; over-drive, which more than 180 MHz needs, wants a running PLL. */
static int raise_clock(void) {
  if (!wait_for(RCC_CR, CR_HSIRDY, CR_HSIRDY)) return 0;
  REGISTER(RCC_PLLCFGR) = PLL_M | PLL_N << 6 | (PLL_P / 2 - 1) << 16 | PLL_Q << 24 | PLL_R << 28;
  REGISTER(RCC_CR) |= CR_PLLON;
  if (!wait_for(RCC_CR, CR_PLLRDY, CR_PLLRDY)) return 0;
  REGISTER(PWR_CR1) |= CR1_ODEN;
  if (!wait_for(PWR_CSR1, CSR1_ODRDY, CSR1_ODRDY)) return 0;
  REGISTER(PWR_CR1) |= CR1_ODSWEN;
  if (!wait_for(PWR_CSR1, CSR1_ODSWRDY, CSR1_ODSWRDY)) return 0;
  REGISTER(FLASH_ACR) = ACR_PRFTEN | ACR_ARTEN | HARNESS_WAIT_STATES;
  if (!wait_for(FLASH_ACR, ACR_LATENCY, HARNESS_WAIT_STATES)) return 0;
  REGISTER(RCC_CFGR) = CFGR_PPRE1_DIV4 | CFGR_PPRE2_DIV2 | CFGR_SW_PLL;
  if (wait_for(RCC_CFGR, CFGR_SWS, CFGR_SWS_PLL)) return 1;
  REGISTER(RCC_CFGR) = 0;
  return 0;
}

static void barrier(void) { __asm__ volatile("dsb\n isb" ::: "memory"); }

/* Nothing but the core writes memory here, so that the data cache needs no maintenance afterwards. */
static void enable_caches(void) {
  barrier();
  REGISTER(SCB_ICIALLU) = 0;
  barrier();
  REGISTER(SCB_CCR) |= CCR_IC;
  REGISTER(SCB_CSSELR) = 0; /* the data cache of level 1 */
  barrier();
  uint32_t geometry = REGISTER(SCB_CCSIDR);
  uint32_t sets = (geometry >> 13 & 0x7fffu) + 1;
  uint32_t ways = (geometry >> 3 & 0x3ffu) + 1; /* four, so that the way is in the two highest bits */
  for (uint32_t set = 0; set < sets; ++set) {
    for (uint32_t way = 0; way < ways; ++way) REGISTER(SCB_DCISW) = way << 30 | set << 5; /* lines of 32 bytes */
  }
  barrier();
  REGISTER(SCB_CCR) |= CCR_DC;
  barrier();
}

uint32_t board_init(void) {
  REGISTER(RCC_APB1ENR) |= APB1ENR_PWREN | APB1ENR_USART3EN;
  REGISTER(RCC_AHB1ENR) |= 1u << (CONSOLE_PORT - 'A');
  (void)REGISTER(RCC_AHB1ENR); /* until the clocks are there */
  board_clock_full = raise_clock();
  board_clock_hz = board_clock_full ? HARNESS_CLOCK_HZ : HSI_HZ;
  enable_caches();
  connect_pin(GPIO_PORT(CONSOLE_PORT), CONSOLE_TX, CONSOLE_FUNCTION);
  connect_pin(GPIO_PORT(CONSOLE_PORT), CONSOLE_RX, CONSOLE_FUNCTION);
  set_field(RCC_DCKCFGR2, DCKCFGR2_USART3SEL, 3u, DCKCFGR2_SYSCLK);
  return board_clock_hz;
}
