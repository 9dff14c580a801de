#include "session.h"

#include <string.h>

#include <new>

#include "crc32.h"
#include "hal.h"
#include "print.h"
#include "wire.h"

namespace harness {
namespace {

alignas(Resolver) unsigned char resolver_memory[sizeof(Resolver)];
alignas(tflite::MicroInterpreter) unsigned char interpreter_memory[sizeof(tflite::MicroInterpreter)];
alignas(Reporter) unsigned char reporter_memory[sizeof(Reporter)];

}  // namespace

int Reporter::Report(const char *format, va_list) {
  if (Passes(format)) Print(format);
  return 0;
}

bool Reporter::Passes(const char *format) {
  if (holding_) held_ = format;
  return !holding_ && !quiet;
}

void Reporter::Hold(bool on) { holding_ = on; }

void Reporter::PrintHeld() {
  if (held_ != nullptr) Print(held_);
}

void Reporter::Print(const char *format) {
  print_begin(WIRE_LOG);
  hal_write(" text=", 6);
  for (const char *c = format; *c != '\0'; ++c) {
    if (*c != '\n' && *c != '\r') hal_write(c, 1);
  }
  print_end();
}

// Objects with virtual functions live in static memory and are made on first use: a static constructor would run
// before the console is up, and its guard and destructor are code that a product would not have.
Reporter *reporter() {
  static Reporter *made = nullptr;
  if (made == nullptr) made = new (reporter_memory) Reporter;
  return made;
}

void PrintBegin() {
  print_begin(WIRE_BEGIN);
  print_unsigned("wire", WIRE_VERSION);
  print_text("tflm", HARNESS_TFLM_VINTAGE);
  print_text("kernels", harness_kernels);
  print_end();
}

int PrintError(const char *stage, int node) {
  print_begin(WIRE_ERROR);
  print_text("stage", stage);
  print_signed("node", node);
  print_end();
  return WIRE_STATUS_ERROR;
}

bool ModelIsWhole(const harness_image *image) {
  bool whole = crc32_update(0, image->model, image->model_size) == image->model_crc;
  if (!whole) PrintError(WIRE_STAGE_MODEL, -1);
  return whole;
}

int PrintAllocationError() {
  int node = Resolver::progress.preparing;
  return node >= 0 ? PrintError(WIRE_STAGE_PREPARE, node) : PrintError(WIRE_STAGE_ALLOCATE, -1);
}

bool CopyInputs(const harness_image *image, tflite::MicroInterpreter *interpreter) {
  if (interpreter->inputs_size() != image->input_count) return false;
  for (size_t i = 0; i < image->input_count; ++i) {
    TfLiteTensor *tensor = interpreter->input(i);
    if (tensor->bytes != image->inputs[i].size) return false;
    memcpy(tensor->data.raw, image->inputs[i].data, tensor->bytes);
  }
  return true;
}

tflite::MicroInterpreter *MakeInterpreter(const harness_image *image, size_t arena_size) {
  Resolver::progress = Progress();
  auto *resolver = new (resolver_memory) Resolver(image);
  return vintage::MakeInterpreter(interpreter_memory, tflite::GetModel(image->model), *resolver, hal_arena(),
                                  arena_size, reporter());
}

}  // namespace harness
