/* NUCLEO-U575ZI-Q: USART1 on PA9 and PA10, alternate function 7 (UM2861). */
#define CONSOLE_PORT 'A'
#define CONSOLE_TX 9u
#define CONSOLE_RX 10u
#define CONSOLE_FUNCTION 7u
