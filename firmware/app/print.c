#include "print.h"

#include <string.h>

#include "hal.h"
#include "wire.h"

static const char kHexDigits[] = "0123456789abcdef";

static void write_text(const char *text) { hal_write(text, strlen(text)); }

static void write_key(const char *key) {
  write_text(" ");
  write_text(key);
  write_text("=");
}

void print_begin(const char *word) {
  write_text("@");
  write_text(word);
}

void print_text(const char *key, const char *value) {
  write_key(key);
  write_text(value);
}

static void write_decimal(uint32_t value) {
  char digits[10];
  size_t at = sizeof digits;
  do {
    digits[--at] = (char)('0' + value % 10u);
    value /= 10u;
  } while (value != 0);
  hal_write(&digits[at], sizeof digits - at);
}

void print_unsigned(const char *key, uint32_t value) {
  write_key(key);
  write_decimal(value);
}

void print_signed(const char *key, int32_t value) {
  write_key(key);
  if (value < 0) write_text("-");
  write_decimal(value < 0 ? 0u - (uint32_t)value : (uint32_t)value);
}

static void write_hex32(uint32_t value) {
  char digits[8];
  for (int i = 7; i >= 0; --i) {
    digits[i] = kHexDigits[value & 15u];
    value >>= 4;
  }
  hal_write(digits, sizeof digits);
}

void print_hex32(const char *key, uint32_t value) {
  write_key(key);
  write_hex32(value);
}

void print_hex64(const char *key, uint64_t value) {
  write_key(key);
  write_hex32((uint32_t)(value >> 32));
  write_hex32((uint32_t)value);
}

void print_end(void) { write_text("\n"); }

void print_data(const uint8_t *bytes, size_t size) {
  char digits[64];
  while (size > 0) {
    size_t chunk = size < sizeof digits / 2 ? size : sizeof digits / 2;
    for (size_t i = 0; i < chunk; ++i) {
      digits[2 * i] = kHexDigits[bytes[i] >> 4];
      digits[2 * i + 1] = kHexDigits[bytes[i] & 15u];
    }
    print_begin(WIRE_DATA);
    write_text(" ");
    hal_write(digits, 2 * chunk);
    print_end();
    bytes += chunk;
    size -= chunk;
  }
}
