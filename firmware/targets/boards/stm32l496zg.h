/* NUCLEO-L496ZG: LPUART1 on PG7 and PG8, alternate function 8 (UM2179). */
#define CONSOLE_PORT 'G'
#define CONSOLE_TX 7u
#define CONSOLE_RX 8u
#define CONSOLE_FUNCTION 8u
#define PLL_N 20u
#define BOOST 0
