/* USART of the STM32F7 and U5. */
#include "board.h"
#include "hal.h"
#include "stm32_usart.h"

void hal_init(void) {
  stm32_usart_start((board_init() + CONSOLE_BAUD / 2) / CONSOLE_BAUD); /* the clock is oversampled by 16 */
}
