#include "frame.h"

#include <string.h>

#include "crc32.h"
#include "hal.h"

enum {
  kHeader = 4,
  kCrc = 4,
  kLongestRun = 254, /* of COBS: bytes without a zero behind one code */
};

uint32_t frame_get(const uint8_t *bytes, size_t size) {
  uint32_t value = 0;
  while (size-- > 0) value = value << 8 | bytes[size];
  return value;
}

void frame_put(uint8_t *bytes, size_t size, uint32_t value) {
  for (size_t i = 0; i < size; ++i, value >>= 8) bytes[i] = (uint8_t)value;
}

static void keep(struct frame_reader *reader, uint8_t byte) {
  if (reader->size < sizeof reader->content) {
    reader->content[reader->size++] = byte;
  } else {
    reader->size = sizeof reader->content + 1;
  }
}

static int verdict(const struct frame_reader *reader) {
  if (!reader->started) return FRAME_NOTHING;
  if (reader->size > sizeof reader->content) return WIRE_FRAME_ERROR_LONG;
  if (reader->left != 0 || reader->size < WIRE_FRAME_OVERHEAD) return WIRE_FRAME_ERROR_SHORT;
  size_t expected = frame_payload_size(reader) + WIRE_FRAME_OVERHEAD;
  if (reader->size != expected) return reader->size < expected ? WIRE_FRAME_ERROR_SHORT : WIRE_FRAME_ERROR_LONG;
  uint32_t crc = crc32_update(0, reader->content, expected - kCrc);
  return crc == frame_get(&reader->content[expected - kCrc], kCrc) ? FRAME_READY : WIRE_FRAME_ERROR_CRC;
}

int frame_take(struct frame_reader *reader, uint8_t byte) {
  if (byte == 0) {
    int result = verdict(reader);
    reader->left = reader->zero_next = reader->started = 0;
    return result;
  }
  if (!reader->started) {
    reader->started = 1;
    reader->size = 0;
  }
  if (reader->left != 0) {
    keep(reader, byte);
    --reader->left;
  } else {
    if (reader->zero_next) keep(reader, 0);
    reader->left = (uint8_t)(byte - 1);
    reader->zero_next = byte != kLongestRun + 1;
  }
  return FRAME_NOTHING;
}

uint8_t frame_type(const struct frame_reader *reader) { return reader->content[0]; }
uint8_t frame_sequence(const struct frame_reader *reader) { return reader->content[1]; }
size_t frame_payload_size(const struct frame_reader *reader) { return frame_get(&reader->content[2], 2); }
const uint8_t *frame_payload(const struct frame_reader *reader) { return &reader->content[kHeader]; }

static void write_bytes(const uint8_t *bytes, size_t size) { hal_write((const char *)bytes, size); }

void frame_send(uint8_t type, uint8_t sequence, const uint8_t *payload, size_t size) {
  static uint8_t content[WIRE_FRAME_PAYLOAD + WIRE_FRAME_OVERHEAD];
  content[0] = type;
  content[1] = sequence;
  frame_put(&content[2], 2, (uint32_t)size);
  if (size > 0) memcpy(&content[kHeader], payload, size);
  frame_put(&content[kHeader + size], kCrc, crc32_update(0, content, kHeader + size));

  static const uint8_t delimiter = 0;
  write_bytes(&delimiter, 1);
  size_t end = size + WIRE_FRAME_OVERHEAD;
  for (size_t at = 0;;) {
    size_t run = 0;
    while (at + run < end && run < kLongestRun && content[at + run] != 0) ++run;
    uint8_t code = (uint8_t)(run + 1);
    write_bytes(&code, 1);
    write_bytes(&content[at], run);
    at += run;
    if (at == end) break;
    if (run < kLongestRun) ++at; /* the zero that the code stands for */
  }
  write_bytes(&delimiter, 1);
}
