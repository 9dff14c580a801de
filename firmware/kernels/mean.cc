// MEAN of int8 tensors over any of at most four axes (global average pooling), which the stock kernel of July 2020
// refuses when it runs. The arithmetic is that of TFLM since 2022: the division is part of the requantisation multiplier.
// float32 goes on to the stock kernel.
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

constexpr int kMostAxes = 4;

struct Data {
  int32_t multiplier;
  int shift;
};

// The input as four axes, those in front of a lower rank of size 1. An axis is kept or reduced; the other is 1 on it.
struct Axes {
  int kept[kMostAxes];
  int reduced[kMostAxes];
  int strides[kMostAxes];
  int count;  // elements in each sum
};

const TfLiteRegistration *Stock() { return tflite::ops::micro::Register_MEAN(); }

Axes ResolveAxes(const TfLiteTensor *input, const TfLiteTensor *axis) {
  Axes axes;
  const int rank = input->dims->size;
  bool is_reduced[kMostAxes] = {};
  const int32_t *named = tflite::GetTensorData<int32_t>(axis);
  const int names = static_cast<int>(axis->bytes / sizeof(int32_t));
  for (int i = 0; i < names; ++i) {
    is_reduced[kMostAxes - rank + (named[i] < 0 ? named[i] + rank : named[i])] = true;
  }
  axes.count = 1;
  int stride = 1;
  for (int i = kMostAxes - 1; i >= 0; --i) {
    const int in_input = i - (kMostAxes - rank);
    const int size = in_input >= 0 ? input->dims->data[in_input] : 1;
    axes.kept[i] = is_reduced[i] ? 1 : size;
    axes.reduced[i] = is_reduced[i] ? size : 1;
    axes.strides[i] = stride;
    axes.count *= axes.reduced[i];
    stride *= size;
  }
  return axes;
}

int32_t Sum(const int8_t *data, const Axes &axes) {
  int32_t sum = 0;
  const int8_t *a = data;
  for (int i = 0; i < axes.reduced[0]; ++i, a += axes.strides[0]) {
    const int8_t *b = a;
    for (int j = 0; j < axes.reduced[1]; ++j, b += axes.strides[1]) {
      const int8_t *c = b;
      for (int k = 0; k < axes.reduced[2]; ++k, c += axes.strides[2]) {
        for (int l = 0; l < axes.reduced[3]; ++l) sum += c[l];
      }
    }
  }
  return sum;
}

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
  TF_LITE_ENSURE(context, input->dims->size <= kMostAxes);

  int32_t multiplier;
  int shift;
  tflite::QuantizeMultiplier(static_cast<double>(input->params.scale) / static_cast<double>(output->params.scale),
                             &multiplier, &shift);
  const int64_t count = ResolveAxes(input, tflite::GetInput(context, node, 1)).count;
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
  const Axes axes = ResolveAxes(input, tflite::GetInput(context, node, 1));
  const int32_t zero_points = input->params.zero_point * axes.count;
  const int8_t *inputs = tflite::GetTensorData<int8_t>(input);
  int8_t *outputs = tflite::GetTensorData<int8_t>(output);

  for (int i = 0; i < axes.kept[0]; ++i) {
    for (int j = 0; j < axes.kept[1]; ++j) {
      for (int k = 0; k < axes.kept[2]; ++k) {
        for (int l = 0; l < axes.kept[3]; ++l) {
          const int8_t *first =
              inputs + i * axes.strides[0] + j * axes.strides[1] + k * axes.strides[2] + l * axes.strides[3];
          int32_t scaled =
              tflite::MultiplyByQuantizedMultiplier(Sum(first, axes) - zero_points, data->multiplier, data->shift);
          scaled += output->params.zero_point;
          *outputs++ = static_cast<int8_t>(std::min<int32_t>(std::max<int32_t>(scaled, INT8_MIN), INT8_MAX));
        }
      }
    }
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
