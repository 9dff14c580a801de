#include "hal.h"
#include "image.h"
#include "print.h"
#include "wire.h"

void harness_finish(int status) {
  print_begin(WIRE_END);
  print_signed("status", status);
  print_end();
  hal_end(status);
}

int main(void) {
  hal_init();
  harness_finish(harness_app());
}
