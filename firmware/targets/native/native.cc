// The host target: model and inputs come from files, all operators are linked in, the console is standard output, or a
// descriptor that it has inherited where it serves.
//
//   harness-native MODEL DUMP-NODE EXPF [INPUT ...]
//   harness-native MODEL serve EXPF DESCRIPTOR
//
// EXPF is "host" for the host's own expf, "single" for that of devices without an FPU, "single-fused" for that of devices
// with one of single precision.
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "crc32.h"
#include "expf.h"
#include "hal.h"
#include "image.h"
#include "mark.h"
#include "vintage.h"

#if __has_include("library_ops.h")  // of a user's library
#define HARNESS_LIBRARY_OP(NAME, ADD) extern "C" const harness_op harness_op_##NAME;
#include "library_ops.h"
#undef HARNESS_LIBRARY_OP
#else
#define HARNESS_STOCK_OP(NAME) extern "C" const harness_op harness_op_##NAME;
#include "op_list.h"
#undef HARNESS_STOCK_OP
extern "C" const harness_op harness_op_MEAN, harness_op_QUANTIZE, harness_op_CONV_2D, harness_op_DEPTHWISE_CONV_2D,
    harness_op_FULLY_CONNECTED, harness_op_AVERAGE_POOL_2D, harness_op_MAX_POOL_2D;
#endif

namespace {

const harness_op *const kOps[] = {
#if __has_include("library_ops.h")
#define HARNESS_LIBRARY_OP(NAME, ADD) &harness_op_##NAME,
#include "library_ops.h"
#undef HARNESS_LIBRARY_OP
#else
#define HARNESS_STOCK_OP(NAME) &harness_op_##NAME,
#include "op_list.h"
#undef HARNESS_STOCK_OP
    &harness_op_MEAN,
    &harness_op_QUANTIZE,
    &harness_op_CONV_2D,
    &harness_op_DEPTHWISE_CONV_2D,
    &harness_op_FULLY_CONNECTED,
    &harness_op_AVERAGE_POOL_2D,
    &harness_op_MAX_POOL_2D,
#endif
};

// Pages of the arena that nothing touches cost nothing.
constexpr size_t kArenaBytes = size_t{256} << 20;
constexpr size_t kMostNodes = 65536;
bool serves = false;
int console = STDOUT_FILENO;
bool single_precision = false;
bool fused = false;
uint8_t *arena;
uint32_t crcs[kMostNodes];
void *wrappers[sizeof kOps / sizeof kOps[0]][HARNESS_WRAPPER_POINTERS];
std::vector<harness_input> inputs;
harness_image image;

// Reads a file into memory that is aligned as the firmware's model is.
harness_input ReadFile(const char *path) {
  FILE *file = std::fopen(path, "rb");
  if (file == nullptr) {
    std::perror(path);
    std::exit(3);
  }
  std::fseek(file, 0, SEEK_END);
  size_t size = static_cast<size_t>(std::ftell(file));
  std::rewind(file);
  auto *data = static_cast<uint8_t *>(::aligned_alloc(16, (size + 16) / 16 * 16));
  if (data == nullptr || std::fread(data, 1, size, file) != size) {
    std::fprintf(stderr, "%s: cannot be read\n", path);
    std::exit(3);
  }
  std::fclose(file);
  return {data, size};
}

// The other side is gone: nobody asks for anything any more.
void EndOfConsole() { std::exit(serves ? 0 : 3); }

}  // namespace

extern "C" {

int firmware_main(void);

// The linker sends all calls of expf here (--wrap).
float __real_expf(float x);
float __wrap_expf(float x) { return single_precision ? single_precision_expf(x, fused) : __real_expf(x); }

const harness_image *firmware_image(void) { return &image; }
int harness_app(void) { return serves ? app_serve() : app_profile(); }
void harness_mark(void) {}
void harness_marks_begin(void) {}
void harness_marks_print(void) {}

void hal_init(void) {}

// Gathers what is written: the application writes a few bytes a call.
static char gathered[4096];
static size_t gathered_size = 0;

static void WriteOut(void) {
  for (size_t at = 0; at < gathered_size;) {
    ssize_t written = ::write(console, gathered + at, gathered_size - at);
    if (written > 0) {
      at += static_cast<size_t>(written);
    } else if (errno != EINTR) {
      EndOfConsole();
    }
  }
  gathered_size = 0;
}

void hal_write(const char *bytes, size_t size) {
  for (size_t i = 0; i < size; ++i) {
    if (gathered_size == sizeof gathered) WriteOut();
    gathered[gathered_size++] = bytes[i];
  }
}

// Unlike a UART it waits.
int hal_read(void) {
  static unsigned char taken[4096];
  static ssize_t size = 0, at = 0;
  if (at == size) {
    WriteOut();
    at = 0;
    do {
      size = ::read(console, taken, sizeof taken);
    } while (size < 0 && errno == EINTR);
    if (size <= 0) EndOfConsole();
  }
  return taken[at++];
}

uint32_t hal_stack_used(void) { return HAL_STACK_UNKNOWN; }
uint32_t hal_stack_reserved(void) { return HAL_STACK_UNKNOWN; }
uint8_t *hal_arena(void) { return arena; }
size_t hal_arena_size(void) { return kArenaBytes; }
void hal_end(int status) {
  WriteOut();
  std::exit(status);
}
}

int main(int argc, char **argv) {
  const char *expf_of = argc < 4 ? "" : argv[3];
  fused = std::strcmp(expf_of, "single-fused") == 0;
  single_precision = fused || std::strcmp(expf_of, "single") == 0;
  if (!single_precision && std::strcmp(expf_of, "host") != 0) {
    std::fprintf(stderr, "usage: %s MODEL DUMP-NODE|serve host|single|single-fused [INPUT ...|DESCRIPTOR]\n", argv[0]);
    return 3;
  }
  arena = static_cast<uint8_t *>(::aligned_alloc(16, kArenaBytes));
  if (arena == nullptr) {
    std::fprintf(stderr, "no memory for an arena of %zu bytes\n", kArenaBytes);
    return 3;
  }
  serves = argc == 5 && std::strcmp(argv[2], "serve") == 0;
  if (serves) {
    console = std::atoi(argv[4]);
    --argc;
  }
  for (int i = 4; i < argc; ++i) inputs.push_back(ReadFile(argv[i]));
  const harness_input model = ReadFile(argv[1]);
  image.model = model.data;
  image.model_size = model.size;
  image.model_crc = crc32_update(0, model.data, model.size);
  image.ops = kOps;
  image.op_count = sizeof kOps / sizeof kOps[0];
  image.wrappers = wrappers;
  image.inputs = inputs.data();
  image.input_count = inputs.size();
  image.crcs = crcs;
  image.node_count = kMostNodes;
  image.dump_node = serves ? -1 : std::atoi(argv[2]);
  return firmware_main();
}
