// FULLY_CONNECTED: int8 by CMSIS-NN, other types by the reference kernel set's. With one scale for all weights it is
// arm_fully_connected_s8; with one per output channel, which that function does not know, the matrix product that
// CMSIS-NN's own 1x1 convolution is made of.
#include "../kernels.h"
#include "../parse.h"
#include "arm_nnsupportfunctions.h"
#include "dims.h"
#include "tensorflow/lite/kernels/internal/tensor_ctypes.h"

namespace harness {
namespace cmsis_nn {
namespace fully_connected {
namespace {

struct Data {
  Channels channels;  // a single one where all weights share a scale
  const int32_t *zero_bias;
};

const TfLiteRegistration *Stock() { return harness::Register_FULLY_CONNECTED(); }

// Weights with a zero point other than 0 are not int8 weights as the quantisation specification has them, and
// CMSIS-NN ignores it.
bool IsOurs(const TfLiteTensor *input, const TfLiteTensor *filter) {
  return input->type == kTfLiteInt8 && filter->params.zero_point == 0;
}

void *Init(TfLiteContext *context, const char *buffer, size_t length) {
  const TfLiteTensor *filter = ParsedInput(context, buffer, 1);
  if (!IsOurs(ParsedInput(context, buffer, 0), filter)) return Stock()->init(context, buffer, length);
  if (!IsPerChannel(filter))
    return AllocateConvolution<Data>(context, 1, true);  // arm_fully_connected_s8 tests its bias
  return AllocateConvolution<Data>(context, filter->dims->data[0], ParsedInput(context, buffer, 2) != nullptr);
}

TfLiteStatus Prepare(TfLiteContext *context, TfLiteNode *node) {
  const TfLiteTensor *input = tflite::GetInput(context, node, 0);
  const TfLiteTensor *filter = tflite::GetInput(context, node, 1);
  if (!IsOurs(input, filter)) return Stock()->prepare(context, node);
  auto *data = static_cast<Data *>(node->user_data);
  if (data == nullptr) return kTfLiteError;
  const auto *params = static_cast<const TfLiteFullyConnectedParams *>(node->builtin_data);
  return FillChannels(context, input, filter, tflite::GetOptionalInputTensor(context, node, 2),
                      tflite::GetOutput(context, node, 0), params->activation, &data->channels);
}

TfLiteStatus Eval(TfLiteContext *context, TfLiteNode *node) {
  const TfLiteTensor *input = tflite::GetInput(context, node, 0);
  const TfLiteTensor *filter = tflite::GetInput(context, node, 1);
  if (!IsOurs(input, filter)) return Stock()->invoke(context, node);
  const auto *data = static_cast<const Data *>(node->user_data);
  const Channels &channels = data->channels;
  const TfLiteTensor *bias = tflite::GetOptionalInputTensor(context, node, 2);
  TfLiteTensor *output = tflite::GetOutput(context, node, 0);
  const int32_t *biases = bias != nullptr ? tflite::GetTensorData<int32_t>(bias) : data->zero_bias;
  const int32_t depth = filter->dims->data[1];
  const int32_t units = filter->dims->data[0];
  const int32_t batches = static_cast<int32_t>(output->bytes) / units;

  if (IsPerChannel(filter)) {
    return Status(arm_nn_mat_mult_nt_t_s8(
        tflite::GetTensorData<int8_t>(input), tflite::GetTensorData<int8_t>(filter), biases,
        tflite::GetTensorData<int8_t>(output), channels.multipliers, channels.shifts, batches, units, depth,
        -input->params.zero_point, output->params.zero_point, channels.activation_min, channels.activation_max, depth));
  }
  cmsis_nn_fc_params fc_params = {
      -input->params.zero_point, 0, output->params.zero_point, {channels.activation_min, channels.activation_max}};
  cmsis_nn_per_tensor_quant_params quant_params = {channels.multipliers[0], channels.shifts[0]};
  cmsis_nn_dims input_dims = {batches, 1, 1, depth};
  cmsis_nn_dims filter_dims = {depth, 1, 1, units};
  cmsis_nn_dims bias_dims = {1, 1, 1, units};
  cmsis_nn_dims output_dims = {batches, 1, 1, units};
  cmsis_nn_context no_scratch = {nullptr, 0};
  return Status(arm_fully_connected_s8(
      &no_scratch, &fc_params, &quant_params, &input_dims, tflite::GetTensorData<int8_t>(input), &filter_dims,
      tflite::GetTensorData<int8_t>(filter), &bias_dims, biases, &output_dims, tflite::GetTensorData<int8_t>(output)));
}

}  // namespace
}  // namespace fully_connected

TfLiteRegistration *Register_FULLY_CONNECTED() {
  static TfLiteRegistration registration = {
      fully_connected::Init, nullptr, fully_connected::Prepare, fully_connected::Eval, nullptr, 0, nullptr, 0};
  return &registration;
}

}  // namespace cmsis_nn
}  // namespace harness
