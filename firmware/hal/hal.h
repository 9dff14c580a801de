/* What the application needs from a target. Every target implements all of it, but the timer. */
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

/* A timer that calls `on_period` from its interrupt every `ticks` ticks of the core's clock (at most 2^24); for scenarios.
 * A target without interrupts has none of these functions, and no application that needs them. */
void hal_timer_start(uint32_t ticks, void (*on_period)(void));
void hal_timer_stop(void);

/* Periods that are over, and ticks, since the start. */
uint32_t hal_timer_rounds(void);
uint64_t hal_timer_now(void);

/* Sleeps until an interrupt has changed the counter from `value`; returns at once where it has another one. */
void hal_sleep_while(const volatile uint32_t *counter, uint32_t value);

/* Ends the run. */
void hal_end(int status) __attribute__((noreturn));

#ifdef __cplusplus
}
#endif

#endif /* HARNESS_HAL_H_ */
