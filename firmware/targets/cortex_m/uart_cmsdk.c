/* Arm CMSDK APB UART, the console of the MPS2 and MPS3 boards. */
#include "hal.h"
#include "memory.h"

struct cmsdk_uart {
  volatile uint32_t data;
  volatile uint32_t state;
  volatile uint32_t control;
  volatile uint32_t interrupts;
  volatile uint32_t divider;
};

#define UART ((struct cmsdk_uart *)link_uart_base)
#define STATE_TX_FULL 1u
#define STATE_RX_FULL 2u
#define CONTROL_TX_ENABLE 1u
#define CONTROL_RX_ENABLE 2u
#define SMALLEST_DIVIDER 16u

void hal_init(void) {
  UART->divider = SMALLEST_DIVIDER;
  UART->control = CONTROL_TX_ENABLE | CONTROL_RX_ENABLE;
  (void)UART->data; /* empties the receiver; at this access, not at the one before, QEMU looks whether bytes wait */
}

void hal_write(const char *bytes, size_t size) {
  for (size_t i = 0; i < size; ++i) {
    while (UART->state & STATE_TX_FULL) {
    }
    UART->data = (unsigned char)bytes[i];
  }
}

int hal_read(void) {
  if (!(UART->state & STATE_RX_FULL)) return -1;
  return (unsigned char)UART->data;
}
