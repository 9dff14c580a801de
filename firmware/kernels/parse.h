// Option parsing that lets a kernel's Init see its operator.
//
// This TFLM refuses persistent allocations once any node has requested scratch memory, so a kernel that wants both must
// do the first in Init, where it is given its options but not its node. ParseWithOperator puts a pointer to the
// operator of the flatbuffer in front of the options; ParsedOperator reads it back.
#ifndef HARNESS_PARSE_H_
#define HARNESS_PARSE_H_

#include "tensorflow/lite/c/common.h"
#include "tensorflow/lite/core/api/flatbuffer_conversions.h"

namespace harness {

TfLiteStatus ParseWithOperator(const tflite::Operator *op, tflite::BuiltinOperator type,
                               tflite::ErrorReporter *reporter, tflite::BuiltinDataAllocator *allocator,
                               void **builtin_data);

// `options` is what Init gets as its buffer.
const tflite::Operator *ParsedOperator(const char *options);

// The operator's input or output number `index`, or nullptr for an optional one that is absent.
const TfLiteTensor *ParsedInput(const TfLiteContext *context, const char *options, size_t index);
const TfLiteTensor *ParsedOutput(const TfLiteContext *context, const char *options, size_t index);

}  // namespace harness

#endif  // HARNESS_PARSE_H_
