/* UART of the nRF51, the console of the BBC micro:bit. */
#include "hal.h"
#include "memory.h"

#define REGISTER(offset) (*(volatile uint32_t *)(link_uart_base + (offset)))
#define TASKS_STARTRX REGISTER(0x000)
#define TASKS_STARTTX REGISTER(0x008)
#define EVENTS_RXDRDY REGISTER(0x108)
#define EVENTS_TXDRDY REGISTER(0x11c)
#define ENABLE REGISTER(0x500)
#define RXD REGISTER(0x518)
#define TXD REGISTER(0x51c)
#define BAUDRATE REGISTER(0x524)
#define ENABLED 4u
#define BAUD_1M 0x10000000u

void hal_init(void) {
  BAUDRATE = BAUD_1M;
  ENABLE = ENABLED;
  TASKS_STARTTX = 1;
  TASKS_STARTRX = 1;
}

void hal_write(const char *bytes, size_t size) {
  for (size_t i = 0; i < size; ++i) {
    EVENTS_TXDRDY = 0;
    TXD = (unsigned char)bytes[i];
    while (!EVENTS_TXDRDY) {
    }
  }
}

int hal_read(void) {
  if (!EVENTS_RXDRDY) return -1;
  EVENTS_RXDRDY = 0; /* before the read, which may bring the next byte and its event */
  return (unsigned char)RXD;
}
