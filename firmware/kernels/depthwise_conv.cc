// DEPTHWISE_CONV_2D where the stock kernel of July 2020 is silently wrong: with dilation it computes SAME padding as if
// there were none, its int8 path ignores the fused activation, and an absent bias makes it read the tensor before the
// first. Everything else goes on to the stock kernel.
#include "tensorflow/lite/kernels/internal/reference/integer_ops/depthwise_conv.h"
#include "channels.h"
#include "kernels.h"
#include "parse.h"
#include "stock.h"
#include "tensorflow/lite/kernels/internal/reference/depthwiseconv_float.h"
#include "tensorflow/lite/kernels/internal/tensor_ctypes.h"
#include "tensorflow/lite/kernels/padding.h"
#include "tensorflow/lite/micro/kernels/micro_ops.h"

namespace harness {
namespace depthwise_conv {
namespace {

struct Data {
  bool stock;
  void *stock_data;
  TfLitePaddingValues padding;
  Channels channels;
};

const TfLiteRegistration *Stock() { return tflite::ops::micro::Register_DEPTHWISE_CONV_2D(); }

// Does the activation cut off values that the type could hold? The stock int8 path clamps to the type only.
bool Clamps(TfLiteContext *context, const TfLiteDepthwiseConvParams *params, TfLiteTensor *output) {
  if (output->type != kTfLiteInt8) return false;
  int32_t minimum, maximum;
  if (tflite::CalculateActivationRangeQuantized(context, params->activation, output, &minimum, &maximum) != kTfLiteOk) {
    return false;
  }
  return minimum > INT8_MIN || maximum < INT8_MAX;
}

void *Init(TfLiteContext *context, const char *buffer, size_t length) {
  const auto *params = reinterpret_cast<const TfLiteDepthwiseConvParams *>(buffer);
  auto *output = const_cast<TfLiteTensor *>(ParsedOutput(context, buffer, 0));
  bool dilated = params->dilation_width_factor != 1 || params->dilation_height_factor != 1;
  const bool has_bias = ParsedInput(context, buffer, 2) != nullptr;
  if (has_bias && !dilated && !Clamps(context, params, output)) {
    auto *data = AllocateWithChannels<Data>(context, 0);
    if (data == nullptr) return nullptr;
    data->stock = true;
    data->stock_data = Stock()->init(context, buffer, length);
    return data->stock_data != nullptr ? data : nullptr;
  }
  auto *data = AllocateWithChannels<Data>(context, ParsedInput(context, buffer, 1)->dims->data[3]);
  if (data != nullptr) data->stock = false;
  return data;
}

TfLiteStatus Prepare(TfLiteContext *context, TfLiteNode *node) {
  if (node->user_data == nullptr) return kTfLiteError;
  auto *data = static_cast<Data *>(node->user_data);
  if (data->stock) return CallStock<Data>(Stock()->prepare, context, node);
  const auto *params = static_cast<const TfLiteDepthwiseConvParams *>(node->builtin_data);
  const TfLiteTensor *input = tflite::GetInput(context, node, 0);
  const TfLiteTensor *filter = tflite::GetInput(context, node, 1);
  int out_height, out_width;
  data->padding = tflite::ComputePaddingHeightWidth(params->stride_height, params->stride_width,
                                                    params->dilation_height_factor, params->dilation_width_factor,
                                                    input->dims->data[1], input->dims->data[2], filter->dims->data[1],
                                                    filter->dims->data[2], params->padding, &out_height, &out_width);
  if (input->type == kTfLiteFloat32) return kTfLiteOk;
  TF_LITE_ENSURE_EQ(context, input->type, kTfLiteInt8);
  return FillChannels(context, input, filter, tflite::GetOptionalInputTensor(context, node, 2),
                      tflite::GetOutput(context, node, 0), params->activation, &data->channels);
}

TfLiteStatus Eval(TfLiteContext *context, TfLiteNode *node) {
  const auto *data = static_cast<const Data *>(node->user_data);
  if (data->stock) return CallStock<Data>(Stock()->invoke, context, node);
  const auto *params = static_cast<const TfLiteDepthwiseConvParams *>(node->builtin_data);
  const TfLiteTensor *input = tflite::GetInput(context, node, 0);
  const TfLiteTensor *filter = tflite::GetInput(context, node, 1);
  const TfLiteTensor *bias = tflite::GetOptionalInputTensor(context, node, 2);
  TfLiteTensor *output = tflite::GetOutput(context, node, 0);

  tflite::DepthwiseParams op = {};
  op.padding_type = tflite::PaddingType::kSame;
  op.padding_values.width = data->padding.width;
  op.padding_values.height = data->padding.height;
  op.stride_width = params->stride_width;
  op.stride_height = params->stride_height;
  op.dilation_width_factor = params->dilation_width_factor;
  op.dilation_height_factor = params->dilation_height_factor;
  op.depth_multiplier = params->depth_multiplier;

  if (input->type == kTfLiteFloat32) {
    tflite::CalculateActivationRange(params->activation, &op.float_activation_min, &op.float_activation_max);
    tflite::reference_ops::DepthwiseConv(op, tflite::GetTensorShape(input), tflite::GetTensorData<float>(input),
                                         tflite::GetTensorShape(filter), tflite::GetTensorData<float>(filter),
                                         tflite::GetTensorShape(bias), tflite::GetTensorData<float>(bias),
                                         tflite::GetTensorShape(output), tflite::GetTensorData<float>(output));
    return kTfLiteOk;
  }
  op.input_offset = -input->params.zero_point;
  op.output_offset = output->params.zero_point;
  op.quantized_activation_min = data->channels.activation_min;
  op.quantized_activation_max = data->channels.activation_max;
  tflite::reference_integer_ops::DepthwiseConvPerChannel(
      op, data->channels.multipliers, data->channels.shifts, tflite::GetTensorShape(input),
      tflite::GetTensorData<int8_t>(input), tflite::GetTensorShape(filter), tflite::GetTensorData<int8_t>(filter),
      tflite::GetTensorShape(bias), tflite::GetTensorData<int32_t>(bias), tflite::GetTensorShape(output),
      tflite::GetTensorData<int8_t>(output));
  return kTfLiteOk;
}

}  // namespace
}  // namespace depthwise_conv

TfLiteRegistration *Register_DEPTHWISE_CONV_2D() {
  static TfLiteRegistration registration = {
      depthwise_conv::Init, nullptr, depthwise_conv::Prepare, depthwise_conv::Eval, nullptr, 0, nullptr, 0};
  return &registration;
}

}  // namespace harness
