/* What a firmware image carries besides the program: the model, the operators that it uses, its inputs.
 * On Cortex-M a generated image.c and image.S provide it, on the host the native target reads it from files. */
#ifndef HARNESS_IMAGE_H_
#define HARNESS_IMAGE_H_

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* One entry of the operator table; defined in kernels/ops.cc. */
struct harness_op;

struct harness_input {
  const uint8_t *data;
  size_t size;
};

/* Pointers' worth of memory that the resolver needs for each operator of the table: a registration of TFLM of July 2020
 * and a pointer. Those of later releases are up to twelve pointers large, and three more are kept of each. */
#ifndef HARNESS_WRAPPER_POINTERS
#define HARNESS_WRAPPER_POINTERS 9
#endif

struct harness_image {
  const uint8_t *model; /* the .tflite file, 16-byte aligned */
  size_t model_size;
  uint32_t model_crc;                  /* CRC-32 of what it must hold */
  const struct harness_op *const *ops; /* the operators that it needs */
  size_t op_count;
  void *(*wrappers)[HARNESS_WRAPPER_POINTERS]; /* one per entry of the table */
  const struct harness_input *inputs;          /* one per model input, in its order */
  size_t input_count;
  uint32_t *crcs; /* room for one CRC-32 per operator of the graph; null: they run without marks and checks */
  size_t node_count;
  int dump_node; /* operator whose outputs are printed in full, or -1 */
};

extern const struct harness_image *firmware_image(void);

/* When samples come: the timer's interrupt delivers a part of the input, and after some of them the input is whole. */
struct harness_schedule {
  uint32_t ticks;      /* of the timer, from one interrupt to the next */
  uint32_t interrupts; /* for a whole input */
  uint32_t frames;     /* whole inputs in all */
};

/* Provided by the images of the applications that need it: app_realtime, app_hang (its first interrupt is the watchdog). */
extern const struct harness_schedule *firmware_schedule(void);

/* The applications; an image's harness_app() calls one of them. Each returns the status to end with. */
int app_profile(void);
int app_size_arena(void);
int app_serve(void);
int app_realtime(void);
int app_hang(void);
int app_overflow(void);

/* Provided by the image: which application this is. */
int harness_app(void);

/* Prints the last line and ends the run; also from an exception. */
void harness_finish(int status) __attribute__((noreturn));

#ifdef __cplusplus
}
#endif

#endif /* HARNESS_IMAGE_H_ */
