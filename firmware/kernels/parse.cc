#include "parse.h"

namespace harness {
namespace {

// Room for the pointer, keeping what follows as aligned as any option structure asks for.
constexpr size_t kPrefix = 8;

class PrefixingAllocator : public tflite::BuiltinDataAllocator {
 public:
  explicit PrefixingAllocator(tflite::BuiltinDataAllocator *inner, const tflite::Operator *op)
      : inner_(inner), op_(op) {}

  void *Allocate(size_t size, size_t alignment) override {
    char *memory = static_cast<char *>(inner_->Allocate(size + kPrefix, alignment > kPrefix ? alignment : kPrefix));
    if (memory == nullptr) return nullptr;
    *reinterpret_cast<const tflite::Operator **>(memory) = op_;
    return memory + kPrefix;
  }

  void Deallocate(void *data) override { inner_->Deallocate(static_cast<char *>(data) - kPrefix); }

 private:
  tflite::BuiltinDataAllocator *inner_;
  const tflite::Operator *op_;

  // As in TFLM: the destructor is virtual, and without this it would pull the heap in.
  void operator delete(void *) {}
};

const TfLiteTensor *Find(const TfLiteContext *context, const flatbuffers::Vector<int32_t> *indices, size_t index) {
  if (index >= indices->size() || indices->Get(index) < 0) return nullptr;
  return &context->tensors[indices->Get(index)];
}

}  // namespace

TfLiteStatus ParseWithOperator(const tflite::Operator *op, tflite::BuiltinOperator type,
                               tflite::ErrorReporter *reporter, tflite::BuiltinDataAllocator *allocator,
                               void **builtin_data) {
  PrefixingAllocator prefixing(allocator, op);
  return tflite::ParseOpData(op, type, reporter, &prefixing, builtin_data);
}

const tflite::Operator *ParsedOperator(const char *options) {
  return *reinterpret_cast<const tflite::Operator *const *>(options - kPrefix);
}

const TfLiteTensor *ParsedInput(const TfLiteContext *context, const char *options, size_t index) {
  return Find(context, ParsedOperator(options)->inputs(), index);
}

const TfLiteTensor *ParsedOutput(const TfLiteContext *context, const char *options, size_t index) {
  return Find(context, ParsedOperator(options)->outputs(), index);
}

}  // namespace harness
