/* What lies between reset and the console: clocks, core voltage, flash, pins. The emulators model none of it, so that
 * emulated images take emulated.c; firmware to be flashed takes the file of its family in ../boards instead. */
#ifndef HARNESS_BOARD_H_
#define HARNESS_BOARD_H_

#include <stdint.h>

#define CONSOLE_BAUD 115200u

/* Sets up what the console needs and returns the clock of its UART in Hz. Called once, by the driver's hal_init(). */
uint32_t board_init(void);

#endif /* HARNESS_BOARD_H_ */
