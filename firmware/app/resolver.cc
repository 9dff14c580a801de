#include "resolver.h"

#include <cstddef>

#include "crc32.h"
#include "mark.h"
#include "print.h"
#include "wire.h"

namespace harness {
namespace {

// Prints in the middle of an inference, which only a run that looks for a difference asks for.
void DumpOutputs(TfLiteContext *context, const TfLiteNode *node, int index) {
  uint32_t size = 0;
  for (int i = 0; i < node->outputs->size; ++i) size += vintage::TensorBytes(context, node->outputs->data[i]).size;
  print_begin(WIRE_DUMP);
  print_signed("index", index);
  print_unsigned("size", size);
  print_end();
  for (int i = 0; i < node->outputs->size; ++i) {
    const vintage::Bytes output = vintage::TensorBytes(context, node->outputs->data[i]);
    print_data(output.data, output.size);
  }
}

}  // namespace

Progress Resolver::progress;

Resolver::Resolver(const harness_image *image) : image_(image) {
  for (size_t i = 0; i < image->op_count; ++i) {
    Wrapped *wrapped = At(i);
    wrapped->kernel.Load(image->ops[i], &wrapped->seen);
    wrapped->seen.builtin_code = image->ops[i]->builtin;
    wrapped->seen.prepare = Prepare;
    if (image->crcs != nullptr) wrapped->seen.invoke = Invoke;
  }
}

// A node is the first member of its NodeAndRegistration, and `seen` the first of its Wrapped. By value: what it holds is
// loaded here, and not between the marks.
vintage::Kernel Resolver::Behind(const TfLiteNode *node) {
  static_assert(offsetof(tflite::NodeAndRegistration, node) == 0, "the node is not the first member");
  const auto *pair = reinterpret_cast<const tflite::NodeAndRegistration *>(node);
  return reinterpret_cast<const Wrapped *>(pair->registration)->kernel;
}

TfLiteStatus Resolver::Prepare(TfLiteContext *context, TfLiteNode *node) {
  const vintage::Kernel kernel = Behind(node);
  progress.preparing = static_cast<int>(progress.prepared++);
  TfLiteStatus status = kernel.Prepare(context, node);
  if (status == kTfLiteOk) progress.preparing = -1;
  return status;
}

TfLiteStatus Resolver::Invoke(TfLiteContext *context, TfLiteNode *node) {
  const vintage::Kernel kernel = Behind(node);
  progress.invoking = static_cast<int>(progress.invoked);

  harness_mark();
  TfLiteStatus status = kernel.Invoke(context, node);
  harness_mark();

  // The arena gives this memory to later operators, so the outputs are read now, outside of the measured segment.
  const harness_image *image = firmware_image();
  uint32_t crc = 0;
  for (int i = 0; i < node->outputs->size; ++i) {
    const vintage::Bytes output = vintage::TensorBytes(context, node->outputs->data[i]);
    crc = crc32_update(crc, output.data, output.size);
  }
  if (progress.invoked < image->node_count) image->crcs[progress.invoked] = crc;
  if (image->dump_node == progress.invoking) DumpOutputs(context, node, progress.invoking);
  ++progress.invoked;
  if (status == kTfLiteOk) progress.invoking = -1;
  harness_mark();
  return status;
}

}  // namespace harness
