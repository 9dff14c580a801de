/* NUCLEO-F746ZG: USART3 on PD8 and PD9, alternate function 7 (UM1974). */
#define CONSOLE_PORT 'D'
#define CONSOLE_TX 8u
#define CONSOLE_RX 9u
#define CONSOLE_FUNCTION 7u
