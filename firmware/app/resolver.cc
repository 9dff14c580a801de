#include "resolver.h"

#include "crc32.h"
#include "mark.h"
#include "print.h"
#include "tensorflow/lite/micro/micro_allocator.h"
#include "wire.h"

namespace harness {
namespace {

// Prints in the middle of an inference, which only a run that looks for a difference asks for.
void DumpOutputs(const TfLiteContext *context, const TfLiteNode *node, int index) {
  uint32_t size = 0;
  for (int i = 0; i < node->outputs->size; ++i) size += context->tensors[node->outputs->data[i]].bytes;
  print_begin(WIRE_DUMP);
  print_signed("index", index);
  print_unsigned("size", size);
  print_end();
  for (int i = 0; i < node->outputs->size; ++i) {
    const TfLiteTensor &output = context->tensors[node->outputs->data[i]];
    print_data(reinterpret_cast<const uint8_t *>(output.data.raw), output.bytes);
  }
}

}  // namespace

Progress Resolver::progress;

Resolver::Resolver(const harness_image *image) : image_(image) {
  for (size_t i = 0; i < image->op_count; ++i) {
    Wrapped *wrapped = At(i);
    wrapped->kernel = image->ops[i]->registration();
    wrapped->seen = *wrapped->kernel;
    wrapped->seen.builtin_code = image->ops[i]->builtin;
    wrapped->seen.prepare = Prepare;
    wrapped->seen.invoke = image->crcs != nullptr ? Invoke : wrapped->kernel->invoke;
  }
}

// Versions are checked on the host before the build: a version says which options may occur, not which kernel to take.
const TfLiteRegistration *Resolver::FindOp(tflite::BuiltinOperator op, int) const {
  for (size_t i = 0; i < image_->op_count; ++i) {
    if (image_->ops[i]->builtin == op) return &At(i)->seen;
  }
  return nullptr;
}

const TfLiteRegistration *Resolver::FindOp(const char *, int) const { return nullptr; }

tflite::MicroOpResolver::BuiltinParseFunction Resolver::GetOpDataParser(tflite::BuiltinOperator op) const {
  for (size_t i = 0; i < image_->op_count; ++i) {
    if (image_->ops[i]->builtin == op) return image_->ops[i]->parse;
  }
  return nullptr;
}

TfLiteStatus Resolver::AddBuiltin(tflite::BuiltinOperator, TfLiteRegistration *, int) { return kTfLiteError; }

// A node is the first member of its NodeAndRegistration, and `seen` the first of its Wrapped.
const TfLiteRegistration *Resolver::Kernel(const TfLiteNode *node) {
  const auto *pair = reinterpret_cast<const tflite::NodeAndRegistration *>(node);
  return reinterpret_cast<const Wrapped *>(pair->registration)->kernel;
}

TfLiteStatus Resolver::Prepare(TfLiteContext *context, TfLiteNode *node) {
  const TfLiteRegistration *kernel = Kernel(node);
  progress.preparing = static_cast<int>(progress.prepared++);
  TfLiteStatus status = kernel->prepare != nullptr ? kernel->prepare(context, node) : kTfLiteOk;
  if (status == kTfLiteOk) progress.preparing = -1;
  return status;
}

TfLiteStatus Resolver::Invoke(TfLiteContext *context, TfLiteNode *node) {
  const TfLiteRegistration *kernel = Kernel(node);
  progress.invoking = static_cast<int>(progress.invoked);

  harness_mark();
  TfLiteStatus status = kernel->invoke(context, node);
  harness_mark();

  // The arena gives this memory to later operators, so the outputs are read now, outside of the measured segment.
  const harness_image *image = firmware_image();
  uint32_t crc = 0;
  for (int i = 0; i < node->outputs->size; ++i) {
    const TfLiteTensor &output = context->tensors[node->outputs->data[i]];
    crc = crc32_update(crc, reinterpret_cast<const uint8_t *>(output.data.raw), output.bytes);
  }
  if (progress.invoked < image->node_count) image->crcs[progress.invoked] = crc;
  if (image->dump_node == progress.invoking) DumpOutputs(context, node, progress.invoking);
  ++progress.invoked;
  if (status == kTfLiteOk) progress.invoking = -1;
  harness_mark();
  return status;
}

}  // namespace harness
