#include "stm32_usart.h"

#include "hal.h"
#include "memory.h"

struct stm32_usart {
  volatile uint32_t cr1;
  volatile uint32_t cr2;
  volatile uint32_t cr3;
  volatile uint32_t brr;
  volatile uint32_t gtpr;
  volatile uint32_t rtor;
  volatile uint32_t rqr;
  volatile uint32_t isr;
  volatile uint32_t icr;
  volatile uint32_t rdr;
  volatile uint32_t tdr;
};

#define USART ((struct stm32_usart *)link_uart_base)
#define CR1_UE (1u << 0)
#define CR1_RE (1u << 2)
#define CR1_TE (1u << 3)
#define ISR_ORE (1u << 3)
#define ISR_RXNE (1u << 5)
#define ISR_TXE (1u << 7)
#define ICR_ORECF (1u << 3)

void stm32_usart_start(uint32_t divider) {
  USART->brr = divider; /* it can be written only while UE is 0, as it is after reset */
  USART->cr1 = CR1_UE | CR1_TE | CR1_RE;
}

void hal_write(const char *bytes, size_t size) {
  for (size_t i = 0; i < size; ++i) {
    while (!(USART->isr & ISR_TXE)) {
    }
    USART->tdr = (unsigned char)bytes[i];
  }
}

int hal_read(void) {
  uint32_t status = USART->isr;
  if (status & ISR_ORE) USART->icr = ICR_ORECF;
  return status & ISR_RXNE ? (int)(USART->rdr & 0xffu) : -1;
}
