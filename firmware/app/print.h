/* Prints wire lines without printf, whose code and stack would be part of what is measured. */
#ifndef HARNESS_PRINT_H_
#define HARNESS_PRINT_H_

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

void print_begin(const char *word);                   /* "@word" */
void print_text(const char *key, const char *value);  /* " key=value" */
void print_unsigned(const char *key, uint32_t value); /* " key=123" */
void print_signed(const char *key, int32_t value);    /* " key=-1" */
void print_hex32(const char *key, uint32_t value);    /* " key=0000abcd" */
void print_hex64(const char *key, uint64_t value);    /* " key=000000000000abcd" */
void print_end(void);                                 /* end of line */
void print_data(const uint8_t *bytes, size_t size);   /* "@data ..." lines */

#ifdef __cplusplus
}
#endif

#endif /* HARNESS_PRINT_H_ */
