// TFLM of July 2020: versions of operators, one parser for all options, an error reporter, TfLiteTensor for every tensor.
// Included by ../vintage.h.
#ifndef HARNESS_VINTAGE_JULY2020_H_
#define HARNESS_VINTAGE_JULY2020_H_

#include <new>

#include "tensorflow/lite/micro/compatibility.h"
#include "tensorflow/lite/micro/memory_helpers.h"
#include "tensorflow/lite/micro/micro_allocator.h"
#include "tensorflow/lite/micro/micro_interpreter.h"
#include "tensorflow/lite/micro/micro_op_resolver.h"

// An entry of the operator table: a builtin, the function that registers its kernel, the parser of its options.
struct harness_op {
  tflite::BuiltinOperator builtin;
  TfLiteRegistration *(*registration)();
  tflite::MicroOpResolver::BuiltinParseFunction parse;
};

namespace harness {
namespace vintage {

using Registration = TfLiteRegistration;
using ParseFunction = tflite::MicroOpResolver::BuiltinParseFunction;

// The kernel's own registration stays where it is.
class Kernel {
 public:
  void Load(const harness_op *op, Registration *seen) {
    registration_ = op->registration();
    *seen = *registration_;
  }

  ParseFunction Parser(const harness_op *op) const { return op->parse; }
  TfLiteStatus Prepare(TfLiteContext *context, TfLiteNode *node) const {
    return registration_->prepare != nullptr ? registration_->prepare(context, node) : kTfLiteOk;
  }
  TfLiteStatus Invoke(TfLiteContext *context, TfLiteNode *node) const { return registration_->invoke(context, node); }

 private:
  const Registration *registration_;
};

template <typename T>
class ResolverOf : public tflite::MicroOpResolver {
 public:
  // Versions are checked on the host before the build: a version says which options may occur, not which kernel to take.
  const TfLiteRegistration *FindOp(tflite::BuiltinOperator op, int) const override { return self()->Find(op); }
  const TfLiteRegistration *FindOp(const char *, int) const override { return nullptr; }
  BuiltinParseFunction GetOpDataParser(tflite::BuiltinOperator op) const override { return self()->Parser(op); }
  TfLiteStatus AddBuiltin(tflite::BuiltinOperator, TfLiteRegistration *, int) override { return kTfLiteError; }

 private:
  const T *self() const { return static_cast<const T *>(this); }

  TF_LITE_REMOVE_VIRTUAL_DELETE
};

inline Bytes TensorBytes(const TfLiteContext *context, int index) {
  const TfLiteTensor &tensor = context->tensors[index];
  return {reinterpret_cast<const uint8_t *>(tensor.data.raw), tensor.bytes};
}

// 0 where its type has no fixed size.
inline size_t InputBytes(const tflite::Tensor &tensor, tflite::ErrorReporter *reporter) {
  size_t bytes, type_size;
  return tflite::BytesRequiredForTensor(tensor, &bytes, &type_size, reporter) == kTfLiteOk ? bytes : 0;
}

inline tflite::MicroInterpreter *MakeInterpreter(void *memory, const tflite::Model *model,
                                                 const tflite::MicroOpResolver &resolver, uint8_t *arena, size_t size,
                                                 tflite::ErrorReporter *reporter) {
  return new (memory) tflite::MicroInterpreter(model, resolver, arena, size, reporter);
}

constexpr bool LogTakesArguments() { return false; }

}  // namespace vintage
}  // namespace harness

#endif  // HARNESS_VINTAGE_JULY2020_H_
