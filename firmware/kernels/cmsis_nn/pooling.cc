// AVERAGE_POOL_2D and MAX_POOL_2D: int8 by CMSIS-NN, other types by the reference kernels.
#include "../kernels.h"
#include "dims.h"
#include "tensorflow/lite/kernels/internal/tensor_ctypes.h"
#include "tensorflow/lite/micro/kernels/micro_ops.h"

namespace harness {
namespace cmsis_nn {
namespace pooling {
namespace {

struct Data {
  cmsis_nn_pool_params params;
  int scratch;
};

using Pool = arm_cmsis_nn_status (*)(const cmsis_nn_context *, const cmsis_nn_pool_params *, const cmsis_nn_dims *,
                                     const int8_t *, const cmsis_nn_dims *, const cmsis_nn_dims *, int8_t *);

void *Init(TfLiteContext *context, const char *, size_t) {
  void *data = nullptr;
  return context->AllocatePersistentBuffer(context, sizeof(Data), &data) == kTfLiteOk ? data : nullptr;
}

TfLiteStatus Prepare(TfLiteContext *context, TfLiteNode *node, bool average) {
  auto *data = static_cast<Data *>(node->user_data);
  if (data == nullptr) return kTfLiteError;
  const TfLiteTensor *input = tflite::GetInput(context, node, 0);
  if (input->type != kTfLiteInt8) return kTfLiteOk;  // the stock kernels have no Prepare
  const auto *params = static_cast<const TfLitePoolParams *>(node->builtin_data);
  TfLiteTensor *output = tflite::GetOutput(context, node, 0);
  int32_t minimum, maximum;
  TF_LITE_ENSURE_STATUS(
      tflite::CalculateActivationRangeQuantized(context, params->activation, output, &minimum, &maximum));
  int out_height, out_width;
  TfLitePaddingValues padding = tflite::ComputePaddingHeightWidth(
      params->stride_height, params->stride_width, 1, 1, input->dims->data[1], input->dims->data[2],
      params->filter_height, params->filter_width, params->padding, &out_height, &out_width);
  data->params = {{params->stride_width, params->stride_height}, {padding.width, padding.height}, {minimum, maximum}};
  int32_t bytes = average ? arm_avgpool_s8_get_buffer_size(output->dims->data[2], input->dims->data[3]) : 0;
  return RequestScratch(context, bytes, &data->scratch);
}

TfLiteStatus Eval(TfLiteContext *context, TfLiteNode *node, Pool pool) {
  const auto *data = static_cast<const Data *>(node->user_data);
  const auto *params = static_cast<const TfLitePoolParams *>(node->builtin_data);
  const TfLiteTensor *input = tflite::GetInput(context, node, 0);
  TfLiteTensor *output = tflite::GetOutput(context, node, 0);
  cmsis_nn_dims input_dims = Dims(input), output_dims = Dims(output);
  cmsis_nn_dims filter_dims = {1, params->filter_height, params->filter_width, 1};
  cmsis_nn_context scratch = Scratch(context, data->scratch);
  const int8_t *image = tflite::GetTensorData<int8_t>(input);
  int8_t *pooled = tflite::GetTensorData<int8_t>(output);
  for (int batch = 0; batch < input->dims->data[0]; ++batch) {  // CMSIS-NN 4.0.0 pools one image a call
    arm_cmsis_nn_status status = pool(&scratch, &data->params, &input_dims, image, &filter_dims, &output_dims, pooled);
    if (status != ARM_CMSIS_NN_SUCCESS) return kTfLiteError;
    image += input_dims.h * input_dims.w * input_dims.c;
    pooled += output_dims.h * output_dims.w * output_dims.c;
  }
  return kTfLiteOk;
}

TfLiteStatus PrepareAverage(TfLiteContext *context, TfLiteNode *node) { return Prepare(context, node, true); }
TfLiteStatus PrepareMax(TfLiteContext *context, TfLiteNode *node) { return Prepare(context, node, false); }

bool IsInt8(TfLiteContext *context, TfLiteNode *node) {
  return tflite::GetInput(context, node, 0)->type == kTfLiteInt8;
}

TfLiteStatus EvalAverage(TfLiteContext *context, TfLiteNode *node) {
  return IsInt8(context, node) ? Eval(context, node, arm_avgpool_s8)
                               : tflite::ops::micro::Register_AVERAGE_POOL_2D()->invoke(context, node);
}

TfLiteStatus EvalMax(TfLiteContext *context, TfLiteNode *node) {
  return IsInt8(context, node) ? Eval(context, node, arm_max_pool_s8)
                               : tflite::ops::micro::Register_MAX_POOL_2D()->invoke(context, node);
}

}  // namespace
}  // namespace pooling

TfLiteRegistration *Register_AVERAGE_POOL_2D() {
  static TfLiteRegistration registration = {
      pooling::Init, nullptr, pooling::PrepareAverage, pooling::EvalAverage, nullptr, 0, nullptr, 0};
  return &registration;
}

TfLiteRegistration *Register_MAX_POOL_2D() {
  static TfLiteRegistration registration = {pooling::Init, nullptr, pooling::PrepareMax, pooling::EvalMax, nullptr, 0,
                                            nullptr,       0};
  return &registration;
}

}  // namespace cmsis_nn
}  // namespace harness
