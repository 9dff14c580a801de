/* nRF52840 DK: P0.06 and P0.08 are the interface MCU's serial port. */
#define CONSOLE_TX 6u
#define CONSOLE_RX 8u
