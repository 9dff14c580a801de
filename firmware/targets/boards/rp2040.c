/* RP2040 on a Pico: the system PLL on the 12 MHz crystal, the console on UART0, clocked by the core's clock. Registers:
 * Raspberry Pi RP2040 datasheet. */
#include HARNESS_BOARD
#include "flashed.h"

#define RESETS 0x4000c000u
#define RESETS_RESET (RESETS + 0x0)
#define RESETS_DONE (RESETS + 0x8)
#define RESET_IO_BANK0 (1u << 5)
#define RESET_PADS_BANK0 (1u << 8)
#define RESET_PLL_SYS (1u << 12)
#define RESET_UART0 (1u << 22)
#define NEEDED (RESET_IO_BANK0 | RESET_PADS_BANK0 | RESET_PLL_SYS | RESET_UART0)
#define XOSC 0x40024000u
#define XOSC_CTRL (XOSC + 0x00)
#define XOSC_STATUS (XOSC + 0x04)
#define XOSC_STARTUP (XOSC + 0x0c)
#define XOSC_1_TO_15_MHZ 0xaa0u
#define XOSC_ENABLE (0xfabu << 12)
#define XOSC_STABLE (1u << 31)
#define PLL_SYS 0x40028000u
#define PLL_CS (PLL_SYS + 0x0)
#define PLL_PWR (PLL_SYS + 0x4)
#define PLL_FBDIV (PLL_SYS + 0x8)
#define PLL_PRIM (PLL_SYS + 0xc)
#define CS_LOCK (1u << 31)
#define PWR_DSMPD (1u << 2)
#define PWR_POSTDIVPD (1u << 3)
#define CLOCKS 0x40008000u
#define CLK_REF_CTRL (CLOCKS + 0x30)
#define CLK_REF_SELECTED (CLOCKS + 0x38)
#define CLK_SYS_CTRL (CLOCKS + 0x3c)
#define CLK_SYS_SELECTED (CLOCKS + 0x44)
#define CLK_PERI_CTRL (CLOCKS + 0x48)
#define REF_XOSC 2u
#define SYS_AUX 1u /* which is the system PLL */
#define PERI_ENABLE (1u << 11)
#define IO_BANK0 0x40014000u
#define GPIO_CTRL(pin) (IO_BANK0 + 8u * (pin) + 4u)
#define PADS_BANK0 0x4001c000u
#define PAD(pin) (PADS_BANK0 + 4u + 4u * (pin))
#define PAD_INPUT_PULLED_UP 0x5au /* input enable, 4 mA, pull-up, Schmitt trigger */
#define WATCHDOG 0x40058000u
#define WATCHDOG_CTRL (WATCHDOG + 0x00)
#define WATCHDOG_SCRATCH4 (WATCHDOG + 0x1c)
#define WATCHDOG_TRIGGER (1u << 31)
#define PSM_WDSEL 0x40010008u
#define WDSEL_ALL_BUT_OSCILLATORS 0x1fffcu

#define ROSC_HZ 6500000u /* the ring oscillator after reset, within a factor of two */
#define XOSC_HZ 12000000u
#define XOSC_STARTUP_MS 1u
#define PLL_FEEDBACK 133u
#define PLL_POST1 6u
#define PLL_POST2 2u
_Static_assert(XOSC_HZ *PLL_FEEDBACK / PLL_POST1 / PLL_POST2 == HARNESS_CLOCK_HZ,
               "the PLL does not make the platform's clock");
_Static_assert(XOSC_HZ *PLL_FEEDBACK <= 1600000000u, "above what the PLL's oscillator can do");

/* The clock that is in force afterwards. */
static uint32_t raise_clock(void) {
  REGISTER(XOSC_CTRL) = XOSC_1_TO_15_MHZ;
  REGISTER(XOSC_STARTUP) = (XOSC_HZ / 1000u * XOSC_STARTUP_MS + 128u) / 256u;
  REGISTER(XOSC_CTRL) = XOSC_ENABLE | XOSC_1_TO_15_MHZ;
  if (!wait_for(XOSC_STATUS, XOSC_STABLE, XOSC_STABLE)) return ROSC_HZ;
  REGISTER(CLK_REF_CTRL) = REF_XOSC;
  if (!wait_for(CLK_REF_SELECTED, 1u << REF_XOSC, 1u << REF_XOSC)) return ROSC_HZ;
  REGISTER(PLL_CS) = 1; /* the crystal, not divided */
  REGISTER(PLL_FBDIV) = PLL_FEEDBACK;
  REGISTER(PLL_PWR) = PWR_DSMPD | PWR_POSTDIVPD;
  if (!wait_for(PLL_CS, CS_LOCK, CS_LOCK)) return XOSC_HZ;
  REGISTER(PLL_PRIM) = PLL_POST1 << 16 | PLL_POST2 << 12;
  REGISTER(PLL_PWR) = PWR_DSMPD;
  REGISTER(CLK_SYS_CTRL) = SYS_AUX;
  if (wait_for(CLK_SYS_SELECTED, 1u << SYS_AUX, 1u << SYS_AUX)) return HARNESS_CLOCK_HZ;
  REGISTER(CLK_SYS_CTRL) = 0;
  return XOSC_HZ;
}

/* A debugger's reset leaves the clocks as they were: away from the PLL, before that is reset. */
static int reset_peripherals(void) {
  REGISTER(CLK_SYS_CTRL) = 0;
  if (!wait_for(CLK_SYS_SELECTED, 1u, 1u)) return 0;
  REGISTER(RESETS_RESET) |= NEEDED;
  REGISTER(RESETS_RESET) &= ~(NEEDED & ~RESET_UART0); /* the UART waits for its clock */
  return wait_for(RESETS_DONE, NEEDED & ~RESET_UART0, NEEDED & ~RESET_UART0);
}

uint32_t board_init(void) {
  int ready = reset_peripherals();
  board_clock_hz = ready ? raise_clock() : ROSC_HZ;
  REGISTER(CLK_PERI_CTRL) = PERI_ENABLE; /* the core's clock */
  REGISTER(RESETS_RESET) &= ~RESET_UART0;
  ready = wait_for(RESETS_DONE, NEEDED, NEEDED) && ready;
  board_clock_full = ready && board_clock_hz == HARNESS_CLOCK_HZ;
  REGISTER(PAD(CONSOLE_RX)) = PAD_INPUT_PULLED_UP;
  REGISTER(GPIO_CTRL(CONSOLE_TX)) = CONSOLE_FUNCTION;
  REGISTER(GPIO_CTRL(CONSOLE_RX)) = CONSOLE_FUNCTION;
  return board_clock_hz;
}

/* The core's own request would reset the cores alone; the watchdog resets everything that gives the clock its state. */
void board_reset(void) {
  REGISTER(WATCHDOG_SCRATCH4) = 0; /* the boot ROM looks for an address to jump to here */
  REGISTER(PSM_WDSEL) = WDSEL_ALL_BUT_OSCILLATORS;
  REGISTER(WATCHDOG_CTRL) = WATCHDOG_TRIGGER;
  for (;;) {
  }
}
