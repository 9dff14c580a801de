/* USART of the STM32F4 (and F1, F2): one data register, status in SR. */
#include "board.h"
#include "hal.h"
#include "memory.h"

struct stm32_usart_v1 {
  volatile uint32_t sr;
  volatile uint32_t dr;
  volatile uint32_t brr;
  volatile uint32_t cr1;
};

#define USART ((struct stm32_usart_v1 *)link_uart_base)
#define SR_ORE (1u << 3)
#define SR_RXNE (1u << 5)
#define SR_TXE (1u << 7)
#define CR1_RE (1u << 2)
#define CR1_TE (1u << 3)
#define CR1_UE (1u << 13)

void hal_init(void) {
  USART->brr = (board_init() + CONSOLE_BAUD / 2) / CONSOLE_BAUD; /* in sixteenths, as the clock is oversampled by 16 */
  USART->cr1 = CR1_UE | CR1_TE | CR1_RE;
}

void hal_write(const char *bytes, size_t size) {
  for (size_t i = 0; i < size; ++i) {
    while (!(USART->sr & SR_TXE)) {
    }
    USART->dr = (unsigned char)bytes[i];
  }
}

int hal_read(void) {
  uint32_t status = USART->sr;
  if (status & SR_RXNE) return (unsigned char)USART->dr;
  if (status & SR_ORE) (void)USART->dr; /* reading it after SR ends the overrun, which would stop the receiver */
  return -1;
}
