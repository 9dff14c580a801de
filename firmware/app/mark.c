#include "mark.h"

/* The barrier keeps calls from being moved or dropped; the body is one return instruction. */
__attribute__((noinline, used)) void harness_mark(void) { __asm__ volatile("" ::: "memory"); }

void harness_marks_begin(void) {}

void harness_marks_print(void) {}
