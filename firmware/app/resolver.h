// The operator resolver: only the model's operators, each wrapped so that its Eval stands between two marks.
#ifndef HARNESS_RESOLVER_H_
#define HARNESS_RESOLVER_H_

#include "harness_op.h"
#include "image.h"
#include "tensorflow/lite/micro/compatibility.h"
#include "tensorflow/lite/micro/micro_op_resolver.h"

namespace harness {

// What is wrong, and where: the operator whose Prepare or Eval failed last, or -1.
struct Progress {
  int preparing = -1;
  int invoking = -1;
  size_t prepared = 0;
  size_t invoked = 0;
};

class Resolver : public tflite::MicroOpResolver {
 public:
  explicit Resolver(const harness_image *image);

  const TfLiteRegistration *FindOp(tflite::BuiltinOperator op, int version) const override;
  const TfLiteRegistration *FindOp(const char *op, int version) const override;
  BuiltinParseFunction GetOpDataParser(tflite::BuiltinOperator op) const override;
  TfLiteStatus AddBuiltin(tflite::BuiltinOperator op, TfLiteRegistration *registration, int version) override;

  static Progress progress;

 private:
  // The wrapper is what the interpreter sees; the kernel's own registration stands behind it in memory.
  struct Wrapped {
    TfLiteRegistration seen;
    const TfLiteRegistration *kernel;
  };
  static_assert(sizeof(Wrapped) <= sizeof(void *[HARNESS_WRAPPER_POINTERS]), "the image gives too little memory");

  Wrapped *At(size_t index) const { return reinterpret_cast<Wrapped *>(image_->wrappers[index]); }

  static const TfLiteRegistration *Kernel(const TfLiteNode *node);
  static TfLiteStatus Prepare(TfLiteContext *context, TfLiteNode *node);
  static TfLiteStatus Invoke(TfLiteContext *context, TfLiteNode *node);

  const harness_image *image_;

  TF_LITE_REMOVE_VIRTUAL_DELETE
};

}  // namespace harness

#endif  // HARNESS_RESOLVER_H_
