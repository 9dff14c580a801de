/* Raspberry Pi Pico: UART0 on GPIO0 and GPIO1, function 2. */
#define CONSOLE_TX 0u
#define CONSOLE_RX 1u
#define CONSOLE_FUNCTION 2u
