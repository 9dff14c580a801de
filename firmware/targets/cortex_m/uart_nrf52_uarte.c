/* UART of the nRF52 with EasyDMA, which reads and writes RAM only. */
#include <string.h>

#include "board.h"
#include "hal.h"
#include "memory.h"

#define REGISTER(offset) (*(volatile uint32_t *)(link_uart_base + (offset)))
#define TASKS_STARTRX REGISTER(0x000)
#define TASKS_STARTTX REGISTER(0x008)
#define EVENTS_ENDRX REGISTER(0x110)
#define EVENTS_ENDTX REGISTER(0x120)
#define ENABLE REGISTER(0x500)
#define BAUDRATE REGISTER(0x524)
#define RXD_PTR REGISTER(0x534)
#define RXD_MAXCNT REGISTER(0x538)
#define TXD_PTR REGISTER(0x544)
#define TXD_MAXCNT REGISTER(0x548)
#define ENABLED 8u
#define BAUD_115200 0x01d60000u /* the clock of the UARTE is 16 MHz whatever the core does */

static uint8_t transmitted[64];
/* One byte at a time. Renode's model writes a byte that comes between the two stores of receive() behind it. */
static volatile uint8_t received[2];

static void receive(void) {
  EVENTS_ENDRX = 0;
  TASKS_STARTRX = 1;
}

void hal_init(void) {
  board_init();
  BAUDRATE = BAUD_115200;
  ENABLE = ENABLED;
  RXD_PTR = (uint32_t)(uintptr_t)received;
  RXD_MAXCNT = 1;
  receive();
}

void hal_write(const char *bytes, size_t size) {
  while (size > 0) {
    size_t piece = size < sizeof transmitted ? size : sizeof transmitted;
    memcpy(transmitted, bytes, piece); /* the caller's may lie in flash */
    __asm__ volatile("dmb" ::: "memory");
    EVENTS_ENDTX = 0;
    TXD_PTR = (uint32_t)(uintptr_t)transmitted;
    TXD_MAXCNT = piece;
    TASKS_STARTTX = 1;
    while (!EVENTS_ENDTX) {
    }
    bytes += piece;
    size -= piece;
  }
}

int hal_read(void) {
  if (!EVENTS_ENDRX) return -1;
  int byte = received[0];
  receive();
  return byte;
}
