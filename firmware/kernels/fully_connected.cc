// FULLY_CONNECTED with int8 weights that have one scale per output channel, which today's converter makes by default and
// the stock kernel of July 2020 computes with the first channel's scale. Everything else goes on to the stock kernel.
#include <algorithm>

#include "channels.h"
#include "kernels.h"
#include "parse.h"
#include "tensorflow/lite/kernels/internal/common.h"
#include "tensorflow/lite/kernels/internal/tensor_ctypes.h"
#include "tensorflow/lite/micro/kernels/micro_ops.h"

namespace harness {
namespace fully_connected {
namespace {

struct Data {
  Channels channels;
};

const TfLiteRegistration *Stock() { return tflite::ops::micro::Register_FULLY_CONNECTED(); }

void *Init(TfLiteContext *context, const char *buffer, size_t length) {
  const TfLiteTensor *filter = ParsedInput(context, buffer, 1);
  if (!IsPerChannel(filter)) return Stock()->init(context, buffer, length);
  return AllocateWithChannels<Data>(context, filter->dims->data[0]);
}

TfLiteStatus Prepare(TfLiteContext *context, TfLiteNode *node) {
  const TfLiteTensor *filter = tflite::GetInput(context, node, 1);
  if (!IsPerChannel(filter)) return Stock()->prepare(context, node);
  if (node->user_data == nullptr) return kTfLiteError;
  const TfLiteTensor *input = tflite::GetInput(context, node, 0);
  TF_LITE_ENSURE_EQ(context, input->type, kTfLiteInt8);
  const auto *params = static_cast<const TfLiteFullyConnectedParams *>(node->builtin_data);
  return FillChannels(context, input, filter, tflite::GetOptionalInputTensor(context, node, 2),
                      tflite::GetOutput(context, node, 0), params->activation,
                      &static_cast<Data *>(node->user_data)->channels);
}

void EvalPerChannel(const Channels &channels, const TfLiteTensor *input, const TfLiteTensor *filter,
                    const TfLiteTensor *bias, TfLiteTensor *output) {
  const int8_t *inputs = tflite::GetTensorData<int8_t>(input);
  const int8_t *weights = tflite::GetTensorData<int8_t>(filter);
  const int32_t *biases = tflite::GetTensorData<int32_t>(bias);
  int8_t *outputs = tflite::GetTensorData<int8_t>(output);
  const int depth = filter->dims->data[1];
  const int batches = static_cast<int>(output->bytes) / channels.count;
  const int32_t input_zero_point = input->params.zero_point;
  const int32_t output_zero_point = output->params.zero_point;

  for (int batch = 0; batch < batches; ++batch) {
    const int8_t *row = weights;
    for (int channel = 0; channel < channels.count; ++channel) {
      int32_t sum = biases != nullptr ? biases[channel] : 0;
      for (int i = 0; i < depth; ++i) sum += row[i] * (inputs[i] - input_zero_point);
      int32_t scaled =
          tflite::MultiplyByQuantizedMultiplier(sum, channels.multipliers[channel], channels.shifts[channel]);
      scaled += output_zero_point;
      *outputs++ = static_cast<int8_t>(std::min(std::max(scaled, channels.activation_min), channels.activation_max));
      row += depth;
    }
    inputs += depth;
  }
}

TfLiteStatus Eval(TfLiteContext *context, TfLiteNode *node) {
  const TfLiteTensor *filter = tflite::GetInput(context, node, 1);
  if (!IsPerChannel(filter)) return Stock()->invoke(context, node);
  EvalPerChannel(static_cast<const Data *>(node->user_data)->channels, tflite::GetInput(context, node, 0), filter,
                 tflite::GetOptionalInputTensor(context, node, 2), tflite::GetOutput(context, node, 0));
  return kTfLiteOk;
}

}  // namespace
}  // namespace fully_connected

TfLiteRegistration *Register_FULLY_CONNECTED() {
  static TfLiteRegistration registration = {
      fully_connected::Init, nullptr, fully_connected::Prepare, fully_connected::Eval, nullptr, 0, nullptr, 0};
  return &registration;
}

}  // namespace harness
