/* The parts of the HAL that all Cortex-M targets share: stack, arena, end. The console is in uart_*.c. */
#include "hal.h"

#include "mark.h"
#include "memory.h"

/* Counts from the bottom up to the first word that is not paint. */
uint32_t hal_stack_used(void) {
  const uint32_t *word = link_stack_bottom;
  while (word < link_stack_top && *word == STACK_PAINT) ++word;
  return (uint32_t)((uintptr_t)link_stack_top - (uintptr_t)word);
}

uint32_t hal_stack_reserved(void) { return (uint32_t)((uintptr_t)link_stack_top - (uintptr_t)link_stack_bottom); }

uint8_t *hal_arena(void) { return link_arena_start; }

size_t hal_arena_size(void) { return (size_t)(link_arena_end - link_arena_start); }

void hal_end(int status) {
  (void)status;
  harness_end();
}
