// MEAN of int8 tensors over height and width (global average pooling), which the stock kernel of July 2020 refuses when
// it runs. The arithmetic is that of TFLM since 2022: the division is part of the requantisation multiplier. float32
// goes on to the stock kernel.
#include <algorithm>

#include "kernels.h"
#include "tensorflow/lite/kernels/internal/common.h"
#include "tensorflow/lite/kernels/internal/quantization_util.h"
#include "tensorflow/lite/kernels/internal/tensor_ctypes.h"
#include "tensorflow/lite/kernels/kernel_util.h"
#include "tensorflow/lite/micro/kernels/micro_ops.h"

namespace harness {
namespace mean {
namespace {

struct Data {
  int32_t multiplier;
  int shift;
};

const TfLiteRegistration *Stock() { return tflite::ops::micro::Register_MEAN(); }

void *Init(TfLiteContext *context, const char *, size_t) {
  void *data = nullptr;
  return context->AllocatePersistentBuffer(context, sizeof(Data), &data) == kTfLiteOk ? data : nullptr;
}

// The multiplier of the sum: scale of the input / scale of the output / number of elements. The number is taken out of
// the multiplier after it was shifted up by as many bits as the number has, as far as the shift leaves room.
TfLiteStatus Prepare(TfLiteContext *context, TfLiteNode *node) {
  const TfLiteTensor *input = tflite::GetInput(context, node, 0);
  if (input->type != kTfLiteInt8) return Stock()->prepare(context, node);
  auto *data = static_cast<Data *>(node->user_data);
  if (data == nullptr) return kTfLiteError;
  const TfLiteTensor *output = tflite::GetOutput(context, node, 0);
  TF_LITE_ENSURE_EQ(context, output->type, kTfLiteInt8);
  TF_LITE_ENSURE_EQ(context, input->dims->size, 4);

  int32_t multiplier;
  int shift;
  tflite::QuantizeMultiplier(static_cast<double>(input->params.scale) / static_cast<double>(output->params.scale),
                             &multiplier, &shift);
  const int64_t count = static_cast<int64_t>(input->dims->data[1]) * input->dims->data[2];
  int bits = 0;
  while ((count >> (bits + 1)) != 0) ++bits;
  bits = std::min(std::min(bits, 32), 31 + shift);
  data->multiplier = static_cast<int32_t>((static_cast<int64_t>(multiplier) << bits) / count);
  data->shift = shift - bits;
  return kTfLiteOk;
}

TfLiteStatus Eval(TfLiteContext *context, TfLiteNode *node) {
  const TfLiteTensor *input = tflite::GetInput(context, node, 0);
  if (input->type != kTfLiteInt8) return Stock()->invoke(context, node);
  const auto *data = static_cast<const Data *>(node->user_data);
  TfLiteTensor *output = tflite::GetOutput(context, node, 0);
  const int batches = input->dims->data[0];
  const int pixels = input->dims->data[1] * input->dims->data[2];
  const int channels = input->dims->data[3];
  const int32_t zero_points = input->params.zero_point * pixels;
  const int8_t *image = tflite::GetTensorData<int8_t>(input);
  int8_t *outputs = tflite::GetTensorData<int8_t>(output);

  for (int batch = 0; batch < batches; ++batch) {
    for (int channel = 0; channel < channels; ++channel) {
      int32_t sum = -zero_points;
      for (int i = 0; i < pixels; ++i) sum += image[i * channels + channel];
      int32_t scaled = tflite::MultiplyByQuantizedMultiplier(sum, data->multiplier, data->shift);
      scaled += output->params.zero_point;
      *outputs++ = static_cast<int8_t>(std::min<int32_t>(std::max<int32_t>(scaled, INT8_MIN), INT8_MAX));
    }
    image += pixels * channels;
  }
  return kTfLiteOk;
}

}  // namespace
}  // namespace mean

TfLiteRegistration *Register_MEAN() {
  static TfLiteRegistration registration = {mean::Init, nullptr, mean::Prepare, mean::Eval, nullptr, 0, nullptr, 0};
  return &registration;
}

}  // namespace harness
