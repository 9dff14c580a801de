#ifndef TFLM_SCHEMA_GENERATED_H_
#define TFLM_SCHEMA_GENERATED_H_
#include <stdint.h>

#include "flatbuffers/flatbuffers.h"
static_assert(FLATBUFFERS_VERSION_MAJOR == 25 &&
              FLATBUFFERS_VERSION_MINOR == 9 &&
              FLATBUFFERS_VERSION_REVISION == 23,
             "Non-compatible flatbuffers version included");
namespace tflite {
enum BuiltinOperator : int32_t {
  BuiltinOperator_ADD = 0,
  BuiltinOperator_CONV_2D = 3,
  BuiltinOperator_SOFTMAX = 25,
  BuiltinOperator_CUSTOM = 32,
  BuiltinOperator_LEAKY_RELU = 98
};
struct Tensor;
struct Operator;
struct SubGraph {
  const flatbuffers::Vector<const Tensor *> *tensors() const;
  const flatbuffers::Vector<int32_t> *inputs() const;
  const flatbuffers::Vector<int32_t> *outputs() const;
  const flatbuffers::Vector<const Operator *> *operators() const;
};
struct Model {
  const flatbuffers::Vector<const SubGraph *> *subgraphs() const;
};
const Model *GetModel(const void *buffer);
}  // namespace tflite
#endif
