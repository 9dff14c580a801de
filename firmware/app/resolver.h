// The operator resolver: only the model's operators, each wrapped so that its Eval stands between two marks.
#ifndef HARNESS_RESOLVER_H_
#define HARNESS_RESOLVER_H_

#include "image.h"
#include "vintage.h"

namespace harness {

// What is wrong, and where: the operator whose Prepare or Eval failed last, or -1.
struct Progress {
  int preparing = -1;
  int invoking = -1;
  size_t prepared = 0;
  size_t invoked = 0;
};

class Resolver : public vintage::ResolverOf<Resolver> {
 public:
  explicit Resolver(const harness_image *image);

  const vintage::Registration *Find(tflite::BuiltinOperator op) const {
    for (size_t i = 0; i < image_->op_count; ++i) {
      if (image_->ops[i]->builtin == op) return &At(i)->seen;
    }
    return nullptr;
  }
  vintage::ParseFunction Parser(tflite::BuiltinOperator op) const {
    for (size_t i = 0; i < image_->op_count; ++i) {
      if (image_->ops[i]->builtin == op) return At(i)->kernel.Parser(image_->ops[i]);
    }
    return nullptr;
  }

  static Progress progress;

 private:
  // The wrapper is what the interpreter sees; the kernel's own functions stand behind it in memory.
  struct Wrapped {
    vintage::Registration seen;
    vintage::Kernel kernel;
  };
  static_assert(sizeof(Wrapped) <= sizeof(void *[HARNESS_WRAPPER_POINTERS]), "the image gives too little memory");

  Wrapped *At(size_t index) const { return reinterpret_cast<Wrapped *>(image_->wrappers[index]); }

  static vintage::Kernel Behind(const TfLiteNode *node);
  static TfLiteStatus Prepare(TfLiteContext *context, TfLiteNode *node);
  static TfLiteStatus Invoke(TfLiteContext *context, TfLiteNode *node);

  const harness_image *image_;

  TF_LITE_REMOVE_VIRTUAL_DELETE
};

}  // namespace harness

#endif  // HARNESS_RESOLVER_H_
