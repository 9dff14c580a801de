// QUANTIZE from one int8 scale to another, which today's converter puts in front of concatenations and the stock kernel of
// July 2020 refuses when it is prepared. Everything else goes on to the stock kernel.
#include <algorithm>

#include "kernels.h"
#include "stock.h"
#include "tensorflow/lite/kernels/internal/common.h"
#include "tensorflow/lite/kernels/internal/quantization_util.h"
#include "tensorflow/lite/kernels/internal/tensor_ctypes.h"
#include "tensorflow/lite/kernels/kernel_util.h"
#include "tensorflow/lite/micro/kernels/micro_ops.h"

namespace harness {
namespace quantize {
namespace {

struct Data {
  void *stock_data;
  int32_t multiplier;
  int shift;
};

const TfLiteRegistration *Stock() { return tflite::ops::micro::Register_QUANTIZE(); }

// The type of the input is not known here, and later there may be no memory to have.
void *Init(TfLiteContext *context, const char *buffer, size_t length) {
  void *memory = nullptr;
  if (context->AllocatePersistentBuffer(context, sizeof(Data), &memory) != kTfLiteOk) return nullptr;
  auto *data = static_cast<Data *>(memory);
  data->stock_data = Stock()->init(context, buffer, length);
  return data->stock_data != nullptr ? data : nullptr;
}

TfLiteStatus Prepare(TfLiteContext *context, TfLiteNode *node) {
  if (node->user_data == nullptr) return kTfLiteError;
  const TfLiteTensor *input = tflite::GetInput(context, node, 0);
  if (input->type != kTfLiteInt8) return CallStock<Data>(Stock()->prepare, context, node);
  auto *data = static_cast<Data *>(node->user_data);
  const TfLiteTensor *output = tflite::GetOutput(context, node, 0);
  TF_LITE_ENSURE_EQ(context, output->type, kTfLiteInt8);
  tflite::QuantizeMultiplier(static_cast<double>(input->params.scale) / static_cast<double>(output->params.scale),
                             &data->multiplier, &data->shift);
  return kTfLiteOk;
}

TfLiteStatus Eval(TfLiteContext *context, TfLiteNode *node) {
  const TfLiteTensor *input = tflite::GetInput(context, node, 0);
  if (input->type != kTfLiteInt8) return CallStock<Data>(Stock()->invoke, context, node);
  const auto *data = static_cast<const Data *>(node->user_data);
  TfLiteTensor *output = tflite::GetOutput(context, node, 0);
  const int8_t *inputs = tflite::GetTensorData<int8_t>(input);
  int8_t *outputs = tflite::GetTensorData<int8_t>(output);
  for (size_t i = 0; i < input->bytes; ++i) {
    int32_t scaled =
        tflite::MultiplyByQuantizedMultiplier(inputs[i] - input->params.zero_point, data->multiplier, data->shift);
    scaled += output->params.zero_point;
    outputs[i] = static_cast<int8_t>(std::min<int32_t>(std::max<int32_t>(scaled, INT8_MIN), INT8_MAX));
  }
  return kTfLiteOk;
}

}  // namespace
}  // namespace quantize

TfLiteRegistration *Register_QUANTIZE() {
  static TfLiteRegistration registration = {quantize::Init, nullptr, quantize::Prepare, quantize::Eval,
                                            nullptr,        0,       nullptr,           0};
  return &registration;
}

}  // namespace harness
