#include "hal.h"
#include "image.h"
#include "print.h"
#include "wire.h"

int main(void) {
  hal_init();
  int status = harness_app();
  print_begin(WIRE_END);
  print_signed("status", status);
  print_end();
  hal_end(status);
}
