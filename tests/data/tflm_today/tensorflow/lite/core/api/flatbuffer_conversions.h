#ifndef TFLM_FLATBUFFER_CONVERSIONS_H_
#define TFLM_FLATBUFFER_CONVERSIONS_H_
#include "tensorflow/lite/c/common.h"
#include "tensorflow/lite/core/api/error_reporter.h"
#include "tensorflow/lite/schema/schema_generated.h"
namespace tflite {
class BuiltinDataAllocator;
TfLiteStatus ParseConv2D(const Operator *op, ErrorReporter *reporter, BuiltinDataAllocator *allocator, void **data);
TfLiteStatus ParseLeakyRelu(const Operator *op, ErrorReporter *reporter, BuiltinDataAllocator *allocator, void **data);
TfLiteStatus ParseSoftmax(const Operator *op, ErrorReporter *reporter, BuiltinDataAllocator *allocator, void **data);
}  // namespace tflite
#endif
