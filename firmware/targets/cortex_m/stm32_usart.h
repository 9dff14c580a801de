/* What USART and LPUART of the newer STM32 share (F7, L4, U5): separate data registers, status in ISR. */
#ifndef HARNESS_STM32_USART_H_
#define HARNESS_STM32_USART_H_

#include <stdint.h>

/* Sets the divider and starts transmitter and receiver. */
void stm32_usart_start(uint32_t divider);

#endif /* HARNESS_STM32_USART_H_ */
