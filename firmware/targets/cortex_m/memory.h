/* Symbols of the linker script. Their addresses are the values. */
#ifndef HARNESS_MEMORY_H_
#define HARNESS_MEMORY_H_

#include <stdint.h>

extern uint32_t link_data_start[], link_data_end[], link_data_load[];
extern uint32_t link_bss_start[], link_bss_end[];
extern uint32_t link_stack_bottom[], link_stack_top[];
extern uint8_t link_arena_start[], link_arena_end[];
/* Without the alignment GCC takes the registers of a struct here apart into bytes, which most devices do not answer. */
extern uint8_t link_uart_base[] __attribute__((aligned(4)));
extern uint8_t link_clock_hz[];

/* What the stack is painted with before main. */
#define STACK_PAINT 0xa5a5a5a5u

#endif /* HARNESS_MEMORY_H_ */
