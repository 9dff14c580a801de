#ifndef TFLM_MEMORY_HELPERS_H_
#define TFLM_MEMORY_HELPERS_H_
#include "tensorflow/lite/c/common.h"
#include "tensorflow/lite/schema/schema_generated.h"
namespace tflite {
TfLiteStatus BytesRequiredForTensor(const Tensor &tensor, size_t *bytes, size_t *type_size);
TfLiteStatus TfLiteEvalTensorByteLength(const TfLiteEvalTensor *tensor, size_t *bytes);
}  // namespace tflite
#endif
