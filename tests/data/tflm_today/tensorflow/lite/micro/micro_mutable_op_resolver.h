#ifndef TFLM_MICRO_MUTABLE_OP_RESOLVER_H_
#define TFLM_MICRO_MUTABLE_OP_RESOLVER_H_
#include "tensorflow/lite/micro/compatibility.h"
#include "tensorflow/lite/micro/micro_op_resolver.h"
namespace tflite {
TFLMRegistration Register_CONV_2D();
TFLMRegistration Register_LEAKY_RELU();
TFLMRegistration Register_SOFTMAX();
template <unsigned int most>
class MicroMutableOpResolver : public MicroOpResolver {
 public:
  const TFLMRegistration *FindOp(BuiltinOperator op) const override {
    return count_ > 0 && registrations_[0].builtin_code == op ? &registrations_[0] : nullptr;
  }
  const TFLMRegistration *FindOp(const char *) const override { return nullptr; }
  TfLiteBridgeBuiltinParseFunction GetOpDataParser(BuiltinOperator op) const override {
    return FindOp(op) == nullptr ? nullptr : parsers_[0];
  }
  TfLiteStatus AddConv2D(const TFLMRegistration &registration = Register_CONV_2D()) {
    return AddBuiltin(BuiltinOperator_CONV_2D, registration, ParseConv2D);
  }
  TfLiteStatus AddLeakyRelu() {
    return AddBuiltin(BuiltinOperator_LEAKY_RELU, Register_LEAKY_RELU(),
                      ParseLeakyRelu);
  }
  TfLiteStatus AddSoftmax(
      const TFLMRegistration &registration = Register_SOFTMAX()) {
    return AddBuiltin(BuiltinOperator_SOFTMAX, registration, ParseSoftmax);
  }

 private:
  TfLiteStatus AddBuiltin(BuiltinOperator op, const TFLMRegistration &registration,
                          TfLiteBridgeBuiltinParseFunction parser) {
    if (count_ == most) return kTfLiteError;
    registrations_[count_] = registration;
    registrations_[count_].builtin_code = op;
    parsers_[count_++] = parser;
    return kTfLiteOk;
  }
  TFLMRegistration registrations_[most];
  TfLiteBridgeBuiltinParseFunction parsers_[most];
  unsigned int count_ = 0;
  TF_LITE_REMOVE_VIRTUAL_DELETE
};
}  // namespace tflite
#endif
