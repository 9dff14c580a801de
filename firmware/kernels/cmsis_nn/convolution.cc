// CONV_2D and DEPTHWISE_CONV_2D: int8 by CMSIS-NN, other types by the reference kernel set's.
#include "../kernels.h"
#include "../parse.h"
#include "dims.h"
#include "tensorflow/lite/kernels/internal/tensor_ctypes.h"
#include "tensorflow/lite/micro/kernels/micro_ops.h"

namespace harness {
namespace cmsis_nn {
namespace {

struct Data {
  Channels channels;
  const int32_t *zero_bias;
  TfLitePaddingValues padding;
  int scratch;
};

// What the two operators differ in.
struct Convolution {
  using Options = TfLiteConvParams;
  using Params = cmsis_nn_conv_params;
  static constexpr int kChannelDimension = 0;
  static constexpr auto kBufferSize = arm_convolve_wrapper_s8_get_buffer_size;
  static constexpr auto kRun = arm_convolve_wrapper_s8;
  static const TfLiteRegistration *Stock() { return tflite::ops::micro::Register_CONV_2D(); }
  static void SetMultiplier(const TfLiteTensor *, const TfLiteTensor *, Params *) {}
};

struct Depthwise {
  using Options = TfLiteDepthwiseConvParams;
  using Params = cmsis_nn_dw_conv_params;
  static constexpr int kChannelDimension = 3;
  static constexpr auto kBufferSize = arm_depthwise_conv_wrapper_s8_get_buffer_size;
  static constexpr auto kRun = arm_depthwise_conv_wrapper_s8;
  static const TfLiteRegistration *Stock() { return harness::Register_DEPTHWISE_CONV_2D(); }
  static void SetMultiplier(const TfLiteTensor *input, const TfLiteTensor *output, Params *params) {
    params->ch_mult = output->dims->data[3] / input->dims->data[3];
  }
};

template <typename Kind>
typename Kind::Params ParamsOf(const typename Kind::Options *options, const Data *data, const TfLiteTensor *input,
                               const TfLiteTensor *output) {
  typename Kind::Params params;
  params.input_offset = -input->params.zero_point;
  params.output_offset = output->params.zero_point;
  Kind::SetMultiplier(input, output, &params);
  params.stride = {options->stride_width, options->stride_height};
  params.padding = {data->padding.width, data->padding.height};
  params.dilation = {options->dilation_width_factor, options->dilation_height_factor};
  params.activation = {data->channels.activation_min, data->channels.activation_max};
  return params;
}

template <typename Kind>
void *Init(TfLiteContext *context, const char *buffer, size_t length) {
  if (ParsedInput(context, buffer, 0)->type != kTfLiteInt8) return Kind::Stock()->init(context, buffer, length);
  const TfLiteTensor *filter = ParsedInput(context, buffer, 1);
  return AllocateConvolution<Data>(context, filter->dims->data[Kind::kChannelDimension],
                                   ParsedInput(context, buffer, 2) != nullptr);
}

template <typename Kind>
TfLiteStatus Prepare(TfLiteContext *context, TfLiteNode *node) {
  const TfLiteTensor *input = tflite::GetInput(context, node, 0);
  if (input->type != kTfLiteInt8) return Kind::Stock()->prepare(context, node);
  auto *data = static_cast<Data *>(node->user_data);
  if (data == nullptr) return kTfLiteError;
  const auto *options = static_cast<const typename Kind::Options *>(node->builtin_data);
  const TfLiteTensor *filter = tflite::GetInput(context, node, 1);
  TfLiteTensor *output = tflite::GetOutput(context, node, 0);
  TF_LITE_ENSURE_STATUS(FillChannels(context, input, filter, tflite::GetOptionalInputTensor(context, node, 2), output,
                                     options->activation, &data->channels));
  int out_height, out_width;
  data->padding = tflite::ComputePaddingHeightWidth(options->stride_height, options->stride_width,
                                                    options->dilation_height_factor, options->dilation_width_factor,
                                                    input->dims->data[1], input->dims->data[2], filter->dims->data[1],
                                                    filter->dims->data[2], options->padding, &out_height, &out_width);
  typename Kind::Params params = ParamsOf<Kind>(options, data, input, output);
  cmsis_nn_dims input_dims = Dims(input), filter_dims = Dims(filter), output_dims = Dims(output);
  return RequestScratch(context, Kind::kBufferSize(&params, &input_dims, &filter_dims, &output_dims), &data->scratch);
}

template <typename Kind>
TfLiteStatus Eval(TfLiteContext *context, TfLiteNode *node) {
  const TfLiteTensor *input = tflite::GetInput(context, node, 0);
  if (input->type != kTfLiteInt8) return Kind::Stock()->invoke(context, node);
  const auto *data = static_cast<const Data *>(node->user_data);
  const TfLiteTensor *filter = tflite::GetInput(context, node, 1);
  const TfLiteTensor *bias = tflite::GetOptionalInputTensor(context, node, 2);
  TfLiteTensor *output = tflite::GetOutput(context, node, 0);
  typename Kind::Params params =
      ParamsOf<Kind>(static_cast<const typename Kind::Options *>(node->builtin_data), data, input, output);
  cmsis_nn_per_channel_quant_params quantisation = {data->channels.multipliers, data->channels.shifts};
  cmsis_nn_dims input_dims = Dims(input), filter_dims = Dims(filter), output_dims = Dims(output);
  cmsis_nn_dims bias_dims = {1, 1, 1, output_dims.c};
  cmsis_nn_context scratch = Scratch(context, data->scratch);
  return Status(Kind::kRun(&scratch, &params, &quantisation, &input_dims, tflite::GetTensorData<int8_t>(input),
                           &filter_dims, tflite::GetTensorData<int8_t>(filter), &bias_dims,
                           bias != nullptr ? tflite::GetTensorData<int32_t>(bias) : data->zero_bias, &output_dims,
                           tflite::GetTensorData<int8_t>(output)));
}

template <typename Kind>
TfLiteRegistration *Register() {
  static TfLiteRegistration registration = {Init<Kind>, nullptr, Prepare<Kind>, Eval<Kind>, nullptr, 0, nullptr, 0};
  return &registration;
}

}  // namespace

TfLiteRegistration *Register_CONV_2D() { return Register<Convolution>(); }

TfLiteRegistration *Register_DEPTHWISE_CONV_2D() { return Register<Depthwise>(); }

}  // namespace cmsis_nn
}  // namespace harness
