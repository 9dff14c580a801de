#ifndef TFLM_MICRO_OP_RESOLVER_H_
#define TFLM_MICRO_OP_RESOLVER_H_
#include "tensorflow/lite/core/api/flatbuffer_conversions.h"
#include "tensorflow/lite/micro/micro_common.h"
namespace tflite {
using TfLiteBridgeBuiltinParseFunction = TfLiteStatus (*)(const Operator *op, ErrorReporter *reporter,
                                                          BuiltinDataAllocator *allocator, void **data);
class MicroOpResolver {
 public:
  virtual ~MicroOpResolver() {}
  virtual const TFLMRegistration *FindOp(BuiltinOperator op) const = 0;
  virtual const TFLMRegistration *FindOp(const char *op) const = 0;
  virtual TfLiteBridgeBuiltinParseFunction GetOpDataParser(BuiltinOperator op) const = 0;
};
}  // namespace tflite
#endif
