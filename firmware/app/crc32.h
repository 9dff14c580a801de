#ifndef HARNESS_CRC32_H_
#define HARNESS_CRC32_H_

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* CRC-32 as in IEEE 802.3 and zlib; `crc` is 0 at first, then the result of the bytes before. */
uint32_t crc32_update(uint32_t crc, const uint8_t *bytes, size_t size);

#ifdef __cplusplus
}
#endif

#endif /* HARNESS_CRC32_H_ */
