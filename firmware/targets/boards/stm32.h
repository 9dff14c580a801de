/* What the STM32 families share: the pins of the console. GPIO_BASE is the family's. */
#ifndef HARNESS_STM32_H_
#define HARNESS_STM32_H_

#include "flashed.h"

#define GPIO_PORT(letter) (GPIO_BASE + 0x400u * (unsigned)((letter) - 'A'))
#define GPIO_MODER 0x00u
#define GPIO_PUPDR 0x0cu
#define GPIO_AFRL 0x20u
#define MODE_ALTERNATE 2u
#define PULL_UP 1u

static inline void set_field(uintptr_t address, unsigned shift, uint32_t mask, uint32_t value) {
  REGISTER(address) = (REGISTER(address) & ~(mask << shift)) | (value << shift);
}

/* Gives a pin to a peripheral, pulled up, so that an open line is an idle one. */
static inline void connect_pin(uintptr_t port, unsigned pin, uint32_t function) {
  set_field(port + GPIO_AFRL + 4u * (pin / 8u), 4u * (pin % 8u), 15u, function);
  set_field(port + GPIO_PUPDR, 2u * pin, 3u, PULL_UP);
  set_field(port + GPIO_MODER, 2u * pin, 3u, MODE_ALTERNATE);
}

#endif /* HARNESS_STM32_H_ */
