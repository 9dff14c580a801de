/* Arm PrimeCell UART (PL011), the console of the RP2040. */
#include "board.h"
#include "hal.h"
#include "memory.h"

#define REGISTER(offset) (*(volatile uint32_t *)(link_uart_base + (offset)))
#define DATA REGISTER(0x000)
#define FLAGS REGISTER(0x018)
#define INTEGER_DIVIDER REGISTER(0x024)
#define FRACTIONAL_DIVIDER REGISTER(0x028)
#define LINE_CONTROL REGISTER(0x02c)
#define CONTROL REGISTER(0x030)
#define FLAG_RX_EMPTY (1u << 4)
#define FLAG_TX_FULL (1u << 5)
#define LINE_FIFOS (1u << 4)
#define LINE_8_BITS (3u << 5)
#define CONTROL_ENABLE (1u << 0)
#define CONTROL_TX_ENABLE (1u << 8)
#define CONTROL_RX_ENABLE (1u << 9)

void hal_init(void) {
  uint32_t divider = (4u * board_init() + CONSOLE_BAUD / 2) / CONSOLE_BAUD; /* clock / (16 x baud), in 64ths */
  INTEGER_DIVIDER = divider >> 6;
  FRACTIONAL_DIVIDER = divider & 63u;
  LINE_CONTROL = LINE_8_BITS | LINE_FIFOS; /* written last of the three: it takes the dividers over */
  CONTROL = CONTROL_ENABLE | CONTROL_TX_ENABLE | CONTROL_RX_ENABLE;
}

void hal_write(const char *bytes, size_t size) {
  for (size_t i = 0; i < size; ++i) {
    while (FLAGS & FLAG_TX_FULL) {
    }
    DATA = (unsigned char)bytes[i];
  }
}

int hal_read(void) { return FLAGS & FLAG_RX_EMPTY ? -1 : (int)(DATA & 0xffu); }
