// TFLM's tensors in CMSIS-NN's terms.
#ifndef HARNESS_CMSIS_NN_DIMS_H_
#define HARNESS_CMSIS_NN_DIMS_H_

#include <string.h>

#include "../channels.h"
#include "arm_nnfunctions.h"
#include "tensorflow/lite/c/common.h"
#include "tensorflow/lite/kernels/padding.h"

namespace harness {
namespace cmsis_nn {

// Of a tensor in NHWC order (filters of CONV_2D: output channels, height, width, input channels).
inline cmsis_nn_dims Dims(const TfLiteTensor *tensor) {
  const int *data = tensor->dims->data;
  return {data[0], data[1], data[2], data[3]};
}

// No scratch requested.
constexpr int kNoScratch = -1;

// Requests `bytes` of scratch memory for Eval, if any; to be called in Prepare.
inline TfLiteStatus RequestScratch(TfLiteContext *context, int32_t bytes, int *index) {
  *index = kNoScratch;
  return bytes > 0 ? context->RequestScratchBufferInArena(context, static_cast<size_t>(bytes), index) : kTfLiteOk;
}

// CMSIS-NN takes no size where it was asked for one before.
inline cmsis_nn_context Scratch(TfLiteContext *context, int index) {
  return {index == kNoScratch ? nullptr : context->GetScratchBuffer(context, index), 0};
}

inline TfLiteStatus Status(arm_cmsis_nn_status status) {
  return status == ARM_CMSIS_NN_SUCCESS ? kTfLiteOk : kTfLiteError;
}

// Data of T, its channels, and a bias of zeros where the model has none: parts of CMSIS-NN 4.0.0 add an offset to the
// bias pointer before they test it. To be called in Init; T has members `channels` and `zero_bias`.
template <typename T>
T *AllocateConvolution(TfLiteContext *context, int channels, bool has_bias) {
  T *data = AllocateWithChannels<T>(context, channels);
  if (data == nullptr) return nullptr;
  data->zero_bias = nullptr;
  if (!has_bias) {
    void *zeros = nullptr;
    size_t bytes = static_cast<size_t>(channels) * sizeof(int32_t);
    if (context->AllocatePersistentBuffer(context, bytes, &zeros) != kTfLiteOk) return nullptr;
    memset(zeros, 0, bytes);
    data->zero_bias = static_cast<const int32_t *>(zeros);
  }
  return data;
}

}  // namespace cmsis_nn
}  // namespace harness

#endif  // HARNESS_CMSIS_NN_DIMS_H_
