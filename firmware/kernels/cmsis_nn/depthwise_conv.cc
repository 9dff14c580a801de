// DEPTHWISE_CONV_2D: int8 by CMSIS-NN, other types by the reference kernel set's.
#include "../kernels.h"
#include "../parse.h"
#include "dims.h"
#include "tensorflow/lite/kernels/internal/tensor_ctypes.h"

namespace harness {
namespace cmsis_nn {
namespace depthwise_conv {
namespace {

struct Data {
  Channels channels;
  const int32_t *zero_bias;
  TfLitePaddingValues padding;
  int scratch;
};

const TfLiteRegistration *Stock() { return harness::Register_DEPTHWISE_CONV_2D(); }

cmsis_nn_dw_conv_params Params(const TfLiteDepthwiseConvParams *params, const Data *data, const TfLiteTensor *input,
                               const TfLiteTensor *output) {
  return {-input->params.zero_point,
          output->params.zero_point,
          output->dims->data[3] / input->dims->data[3],
          {params->stride_width, params->stride_height},
          {data->padding.width, data->padding.height},
          {params->dilation_width_factor, params->dilation_height_factor},
          {data->channels.activation_min, data->channels.activation_max}};
}

void *Init(TfLiteContext *context, const char *buffer, size_t length) {
  const TfLiteTensor *filter = ParsedInput(context, buffer, 1);
  if (ParsedInput(context, buffer, 0)->type != kTfLiteInt8) return Stock()->init(context, buffer, length);
  return AllocateConvolution<Data>(context, filter->dims->data[3], ParsedInput(context, buffer, 2) != nullptr);
}

TfLiteStatus Prepare(TfLiteContext *context, TfLiteNode *node) {
  const TfLiteTensor *input = tflite::GetInput(context, node, 0);
  if (input->type != kTfLiteInt8) return Stock()->prepare(context, node);
  auto *data = static_cast<Data *>(node->user_data);
  if (data == nullptr) return kTfLiteError;
  const auto *params = static_cast<const TfLiteDepthwiseConvParams *>(node->builtin_data);
  const TfLiteTensor *filter = tflite::GetInput(context, node, 1);
  TfLiteTensor *output = tflite::GetOutput(context, node, 0);
  TF_LITE_ENSURE_STATUS(FillChannels(context, input, filter, tflite::GetOptionalInputTensor(context, node, 2), output,
                                     params->activation, &data->channels));
  int out_height, out_width;
  data->padding = tflite::ComputePaddingHeightWidth(params->stride_height, params->stride_width,
                                                    params->dilation_height_factor, params->dilation_width_factor,
                                                    input->dims->data[1], input->dims->data[2], filter->dims->data[1],
                                                    filter->dims->data[2], params->padding, &out_height, &out_width);
  cmsis_nn_dw_conv_params conv_params = Params(params, data, input, output);
  cmsis_nn_dims input_dims = Dims(input), filter_dims = Dims(filter), output_dims = Dims(output);
  return RequestScratch(
      context, arm_depthwise_conv_wrapper_s8_get_buffer_size(&conv_params, &input_dims, &filter_dims, &output_dims),
      &data->scratch);
}

TfLiteStatus Eval(TfLiteContext *context, TfLiteNode *node) {
  const TfLiteTensor *input = tflite::GetInput(context, node, 0);
  if (input->type != kTfLiteInt8) return Stock()->invoke(context, node);
  const auto *data = static_cast<const Data *>(node->user_data);
  const TfLiteTensor *filter = tflite::GetInput(context, node, 1);
  const TfLiteTensor *bias = tflite::GetOptionalInputTensor(context, node, 2);
  TfLiteTensor *output = tflite::GetOutput(context, node, 0);
  cmsis_nn_dw_conv_params conv_params =
      Params(static_cast<const TfLiteDepthwiseConvParams *>(node->builtin_data), data, input, output);
  cmsis_nn_per_channel_quant_params quant_params = {data->channels.multipliers, data->channels.shifts};
  cmsis_nn_dims input_dims = Dims(input), filter_dims = Dims(filter), output_dims = Dims(output);
  cmsis_nn_dims bias_dims = {1, 1, 1, output_dims.c};
  cmsis_nn_context scratch = Scratch(context, data->scratch);
  return Status(arm_depthwise_conv_wrapper_s8(&scratch, &conv_params, &quant_params, &input_dims,
                                              tflite::GetTensorData<int8_t>(input), &filter_dims,
                                              tflite::GetTensorData<int8_t>(filter), &bias_dims,
                                              bias != nullptr ? tflite::GetTensorData<int32_t>(bias) : data->zero_bias,
                                              &output_dims, tflite::GetTensorData<int8_t>(output)));
}

}  // namespace
}  // namespace depthwise_conv

TfLiteRegistration *Register_DEPTHWISE_CONV_2D() {
  static TfLiteRegistration registration = {
      depthwise_conv::Init, nullptr, depthwise_conv::Prepare, depthwise_conv::Eval, nullptr, 0, nullptr, 0};
  return &registration;
}

}  // namespace cmsis_nn
}  // namespace harness
