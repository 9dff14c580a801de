// Requantisation of int8 convolutions and fully connected layers, one multiplier and shift per output channel.
#ifndef HARNESS_CHANNELS_H_
#define HARNESS_CHANNELS_H_

#include "tensorflow/lite/c/builtin_op_data.h"
#include "tensorflow/lite/c/common.h"
#include "tensorflow/lite/kernels/kernel_util.h"

namespace harness {

struct Channels {
  int count;
  int32_t *multipliers;
  int32_t *shifts;
  int32_t activation_min;
  int32_t activation_max;
};

// One scale per channel, rather than one for the tensor?
inline bool IsPerChannel(const TfLiteTensor *filter) {
  const auto *quantization = static_cast<const TfLiteAffineQuantization *>(filter->quantization.params);
  return quantization != nullptr && quantization->scale != nullptr && quantization->scale->size > 1;
}

// Memory for T followed by the two arrays, in one persistent allocation; to be called in Init. nullptr: arena full.
template <typename T>
T *AllocateWithChannels(TfLiteContext *context, int count) {
  void *memory = nullptr;
  size_t bytes = sizeof(T) + 2 * static_cast<size_t>(count) * sizeof(int32_t);
  if (context->AllocatePersistentBuffer(context, bytes, &memory) != kTfLiteOk) return nullptr;
  T *data = static_cast<T *>(memory);
  data->channels.count = count;
  data->channels.multipliers = reinterpret_cast<int32_t *>(data + 1);
  data->channels.shifts = data->channels.multipliers + count;
  return data;
}

// Fills multipliers, shifts and the activation's range; to be called in Prepare.
inline TfLiteStatus FillChannels(TfLiteContext *context, const TfLiteTensor *input, const TfLiteTensor *filter,
                                 const TfLiteTensor *bias, TfLiteTensor *output, TfLiteFusedActivation activation,
                                 Channels *channels) {
  int32_t unused_multiplier;  // of uint8 tensors only
  int unused_shift;
  static_assert(sizeof(int) == sizeof(int32_t), "TFLM takes shifts as int");
  return tflite::PopulateConvolutionQuantizationParams(
      context, input, filter, bias, output, activation, &unused_multiplier, &unused_shift, &channels->activation_min,
      &channels->activation_max, channels->multipliers, reinterpret_cast<int *>(channels->shifts), channels->count);
}

}  // namespace harness

#endif  // HARNESS_CHANNELS_H_
