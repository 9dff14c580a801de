/* What the application needs from a target. Every target implements all of it. */
#ifndef HARNESS_HAL_H_
#define HARNESS_HAL_H_

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Stack high-water that a target cannot measure. */
#define HAL_STACK_UNKNOWN UINT32_MAX

/* Starts the console. Called once, first. */
void hal_init(void);

/* Writes bytes to the console; returns when the console has taken them all. */
void hal_write(const char *bytes, size_t size);

/* The next byte that came in on the console, or -1: there is none yet. */
int hal_read(void);

/* Deepest use of the stack since reset in bytes, and the bytes that are reserved for it. */
uint32_t hal_stack_used(void);
uint32_t hal_stack_reserved(void);

/* The tensor arena: 16-byte aligned, `hal_arena_size()` bytes. */
uint8_t *hal_arena(void);
size_t hal_arena_size(void);

/* Ends the run. */
void hal_end(int status) __attribute__((noreturn));

#ifdef __cplusplus
}
#endif

#endif /* HARNESS_HAL_H_ */
