// TFLM since the autumn of 2020: no versions of operators, a parser and an Add method for each, TfLiteEvalTensor while an
// operator runs. What changed since then (TfLiteRegistration or TFLMRegistration, with or without an error reporter) is
// told by the declarations themselves. Included by ../vintage.h.
#ifndef HARNESS_VINTAGE_MODERN_H_
#define HARNESS_VINTAGE_MODERN_H_

#include <stdarg.h>

#include <new>
#include <type_traits>
#include <utility>

#include "tensorflow/lite/core/api/error_reporter.h"
#include "tensorflow/lite/micro/compatibility.h"
#include "tensorflow/lite/micro/debug_log.h"
#include "tensorflow/lite/micro/memory_helpers.h"
#include "tensorflow/lite/micro/micro_allocator.h"
#include "tensorflow/lite/micro/micro_interpreter.h"
#include "tensorflow/lite/micro/micro_mutable_op_resolver.h"
#include "tensorflow/lite/micro/micro_op_resolver.h"
#include "tensorflow/lite/schema/schema_generated.h"

namespace harness {
namespace vintage {

using Registration =
    std::remove_const<std::remove_pointer<decltype(tflite::NodeAndRegistration::registration)>::type>::type;
using ParseFunction =
    decltype(std::declval<const tflite::MicroOpResolver &>().GetOpDataParser(tflite::BuiltinOperator_ADD));

// TFLM's own resolver with room for one operator: its Add methods know the kernel and the parser that belong together.
using Table = tflite::MicroMutableOpResolver<1>;

}  // namespace vintage
}  // namespace harness

// An entry of the operator table: a builtin, and what adds it to an empty table.
struct harness_op {
  tflite::BuiltinOperator builtin;
  void (*add)(harness::vintage::Table *table);
};

namespace harness {
namespace vintage {

// Registrations come by value: what is called of them is kept.
class Kernel {
 public:
  void Load(const harness_op *op, Registration *seen) {
    Table table;
    op->add(&table);
    *seen = *table.FindOp(op->builtin);
    prepare_ = seen->prepare;
    invoke_ = seen->invoke;
    parse_ = table.GetOpDataParser(op->builtin);
  }

  ParseFunction Parser(const harness_op *) const { return parse_; }
  TfLiteStatus Prepare(TfLiteContext *context, TfLiteNode *node) const {
    return prepare_ != nullptr ? prepare_(context, node) : kTfLiteOk;
  }
  TfLiteStatus Invoke(TfLiteContext *context, TfLiteNode *node) const { return invoke_(context, node); }

 private:
  decltype(Registration::prepare) prepare_;
  decltype(Registration::invoke) invoke_;
  ParseFunction parse_;
};

template <typename T>
class ResolverOf : public tflite::MicroOpResolver {
 public:
  const Registration *FindOp(tflite::BuiltinOperator op) const override { return self()->Find(op); }
  const Registration *FindOp(const char *) const override { return nullptr; }
  ParseFunction GetOpDataParser(tflite::BuiltinOperator op) const override { return self()->Parser(op); }

 private:
  const T *self() const { return static_cast<const T *>(this); }

  TF_LITE_REMOVE_VIRTUAL_DELETE
};

inline Bytes TensorBytes(TfLiteContext *context, int index) {
  const TfLiteEvalTensor *tensor = context->GetEvalTensor(context, index);
  size_t bytes = 0;
  if (tensor == nullptr || tflite::TfLiteEvalTensorByteLength(tensor, &bytes) != kTfLiteOk) return {nullptr, 0};
  return {reinterpret_cast<const uint8_t *>(tensor->data.raw), bytes};
}

// --- with an error reporter, or without one ---

template <typename F, typename... Rest>
auto BytesRequired(int, F required, const tflite::Tensor &tensor, size_t *bytes, size_t *type_size, Rest...)
    -> decltype(required(tensor, bytes, type_size)) {
  return required(tensor, bytes, type_size);
}
template <typename F>
auto BytesRequired(long, F required, const tflite::Tensor &tensor, size_t *bytes, size_t *type_size,
                   tflite::ErrorReporter *reporter) -> decltype(required(tensor, bytes, type_size, reporter)) {
  return required(tensor, bytes, type_size, reporter);
}

// 0 where its type has no fixed size.
inline size_t InputBytes(const tflite::Tensor &tensor, tflite::ErrorReporter *reporter) {
  size_t bytes, type_size;
  TfLiteStatus status = BytesRequired(0, tflite::BytesRequiredForTensor, tensor, &bytes, &type_size, reporter);
  return status == kTfLiteOk ? bytes : 0;
}

template <typename Interpreter, typename... Arguments>
Interpreter *Construct(std::true_type, void *memory, tflite::ErrorReporter *reporter, Arguments &&...arguments) {
  return new (memory) Interpreter(std::forward<Arguments>(arguments)..., reporter);
}
template <typename Interpreter, typename... Arguments>
Interpreter *Construct(std::false_type, void *memory, tflite::ErrorReporter *, Arguments &&...arguments) {
  return new (memory) Interpreter(std::forward<Arguments>(arguments)...);
}

inline tflite::MicroInterpreter *MakeInterpreter(void *memory, const tflite::Model *model,
                                                 const tflite::MicroOpResolver &resolver, uint8_t *arena, size_t size,
                                                 tflite::ErrorReporter *reporter) {
  using TakesReporter =
      std::is_constructible<tflite::MicroInterpreter, const tflite::Model *, const tflite::MicroOpResolver &, uint8_t *,
                            size_t, tflite::ErrorReporter *>;
  return Construct<tflite::MicroInterpreter>(std::integral_constant<bool, TakesReporter::value>(), memory, reporter,
                                             model, resolver, arena, size);
}

// Of 2023 and later, instead of finished text.
constexpr bool LogTakesArguments() {
  return std::is_same<decltype(&::DebugLog), void (*)(const char *, va_list)>::value;
}

}  // namespace vintage
}  // namespace harness

#endif  // HARNESS_VINTAGE_MODERN_H_
