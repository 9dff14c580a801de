/* LPUART of the STM32L4: a USART whose divider is in 256ths of the clock. */
#include "board.h"
#include "hal.h"
#include "stm32_usart.h"

void hal_init(void) {
  uint32_t clock_hz = board_init();
  stm32_usart_start((uint32_t)((256u * (uint64_t)clock_hz + CONSOLE_BAUD / 2) / CONSOLE_BAUD));
}
