// The application that finds the smallest arena: allocates in all the memory there is, prints where the planner has put
// what, then tries from what TFLM says it used upwards in steps of its own alignment. `arena_used_bytes` leaves out the
// planner's temporary space, so the smallest arena that works can be larger; it is never smaller.
#include "hal.h"
#include "image.h"
#include "print.h"
#include "session.h"
#include "wire.h"

namespace {

constexpr size_t kStep = 16;  // TFLM aligns its buffers to this

// --- what the memory planner decides ---

decltype(harness::vintage::Registration::prepare) prepare_behind;
decltype(TfLiteContext::RequestScratchBufferInArena) request_behind;
TfLiteContext *watched;
int scratch_buffers;

TfLiteStatus Request(TfLiteContext *context, size_t bytes, int *index) {
  TfLiteStatus status = request_behind(context, bytes, index);
  if (status != kTfLiteOk) return status;
  print_begin(WIRE_SCRATCH);
  print_signed("index", *index);
  print_signed("node", harness::Resolver::progress.preparing);
  print_unsigned("size", bytes);
  print_end();
  if (*index >= scratch_buffers) scratch_buffers = *index + 1;
  return status;
}

TfLiteStatus Prepare(TfLiteContext *context, TfLiteNode *node) {
  watched = context;
  if (context->RequestScratchBufferInArena != Request) {
    request_behind = context->RequestScratchBufferInArena;
    context->RequestScratchBufferInArena = Request;
  }
  return prepare_behind(context, node);
}

// The registrations are the interpreter's own: the resolver has made them in the image's memory, each at the front of
// its wrapper, and the next resolver makes them anew.
void WatchPlan(const harness_image *image) {
  watched = nullptr;
  scratch_buffers = 0;
  for (size_t i = 0; i < image->op_count; ++i) {
    auto *seen = reinterpret_cast<harness::vintage::Registration *>(image->wrappers[i]);
    prepare_behind = seen->prepare;
    seen->prepare = Prepare;
  }
}

void PrintPlan(const harness_image *image, const uint8_t *arena, size_t arena_size) {
  if (watched == nullptr) return;
  auto *tensors = tflite::GetModel(image->model)->subgraphs()->Get(0)->tensors();
  for (size_t i = 0; i < tensors->size(); ++i) {
    const harness::vintage::Bytes tensor = harness::vintage::TensorBytes(watched, static_cast<int>(i));
    if (tensor.data < arena || tensor.data >= arena + arena_size) continue;
    print_begin(WIRE_TENSOR);
    print_unsigned("index", i);
    print_unsigned("offset", static_cast<uint32_t>(tensor.data - arena));
    print_unsigned("size", tensor.size);
    print_end();
  }
  for (int i = 0; i < scratch_buffers; ++i) {
    const auto *data = static_cast<const uint8_t *>(watched->GetScratchBuffer(watched, i));
    print_begin(WIRE_PLACED);
    print_signed("index", i);
    print_unsigned("offset", static_cast<uint32_t>(data - arena));
    print_end();
  }
}

// --- the search ---

size_t TryArena(const harness_image *image, size_t size, bool prints_plan) {
  tflite::MicroInterpreter *interpreter = harness::MakeInterpreter(image, size);
  if (prints_plan) WatchPlan(image);
  if (interpreter->AllocateTensors() != kTfLiteOk) return 0;
  if (prints_plan) PrintPlan(image, hal_arena(), size);
  bool was_quiet = harness::reporter()->quiet;
  harness::reporter()->quiet = true;  // arena_used_bytes() reports what it returns
  size_t used = interpreter->arena_used_bytes();
  harness::reporter()->quiet = was_quiet;
  return used;
}

}  // namespace

extern "C" int app_size_arena(void) {
  const harness_image *image = firmware_image();
  harness::PrintBegin();
  size_t used = TryArena(image, hal_arena_size(), true);
  if (used == 0) return harness::PrintAllocationError();
  print_begin(WIRE_ARENA);
  print_unsigned("size", hal_arena_size());
  print_unsigned("used", used);
  print_end();

  harness::reporter()->quiet = true;
  size_t size = (used + kStep - 1) / kStep * kStep;
  while (TryArena(image, size, false) == 0) size += kStep;
  print_begin(WIRE_NEEDED);
  print_unsigned("size", size);
  print_end();
  return WIRE_STATUS_OK;
}
