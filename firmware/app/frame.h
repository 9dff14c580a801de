/* Frames of the console (wire.h): taken byte by byte, sent whole. */
#ifndef HARNESS_FRAME_H_
#define HARNESS_FRAME_H_

#include <stddef.h>
#include <stdint.h>

#include "wire.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What frame_take() returns besides the code of an error. */
#define FRAME_NOTHING (-1) /* more bytes are needed */
#define FRAME_READY 0      /* a frame is there, until the next byte is taken */

struct frame_reader {
  uint8_t content[WIRE_FRAME_PAYLOAD + WIRE_FRAME_OVERHEAD];
  size_t size;       /* bytes of the content so far; more than there is room for where they are not kept */
  uint8_t left;      /* bytes that come before the next code of COBS */
  uint8_t zero_next; /* a zero stands before them, if anything follows */
  uint8_t started;
};

/* Takes one byte of the stream. The reader begins as zeros. */
int frame_take(struct frame_reader *reader, uint8_t byte);

/* Of the frame that is ready. */
uint8_t frame_type(const struct frame_reader *reader);
uint8_t frame_sequence(const struct frame_reader *reader);
size_t frame_payload_size(const struct frame_reader *reader);
const uint8_t *frame_payload(const struct frame_reader *reader);

/* Sends a frame; at most WIRE_FRAME_PAYLOAD bytes. */
void frame_send(uint8_t type, uint8_t sequence, const uint8_t *payload, size_t size);

/* Little-endian numbers at any address. */
uint32_t frame_get(const uint8_t *bytes, size_t size);
void frame_put(uint8_t *bytes, size_t size, uint32_t value);

#ifdef __cplusplus
}
#endif

#endif /* HARNESS_FRAME_H_ */
