/* NUCLEO-F446RE: USART2 on PA2 and PA3, alternate function 7 (UM1724). */
#define CONSOLE_PORT 'A'
#define CONSOLE_TX 2u
#define CONSOLE_RX 3u
#define CONSOLE_FUNCTION 7u
#define CONSOLE_ENABLE 17 /* USART2EN in RCC_APB1ENR */
