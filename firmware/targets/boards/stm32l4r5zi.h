/* NUCLEO-L4R5ZI: LPUART1 on PG7 and PG8, alternate function 8 (UM2179). */
#define CONSOLE_PORT 'G'
#define CONSOLE_TX 7u
#define CONSOLE_RX 8u
#define CONSOLE_FUNCTION 8u
#define PLL_N 30u
#define BOOST 1
/* 120 MHz in range 1 boost: ST's own driver (stm32l4xx_ll_utils.c) takes 5 above 100 MHz, Mbed OS 4. */
#define LEAST_WAIT_STATES 5
