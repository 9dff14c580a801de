#ifndef TFLM_MICRO_INTERPRETER_H_
#define TFLM_MICRO_INTERPRETER_H_
#include "tensorflow/lite/micro/micro_allocator.h"
#include "tensorflow/lite/micro/micro_op_resolver.h"
#include "tensorflow/lite/micro/micro_profiler_interface.h"
#include "tensorflow/lite/schema/schema_generated.h"
namespace tflite {
class MicroResourceVariables;
class MicroInterpreter {
 public:
  MicroInterpreter(const Model *model, const MicroOpResolver &resolver, uint8_t *arena, size_t size,
                   MicroResourceVariables *variables = nullptr, MicroProfilerInterface *profiler = nullptr,
                   bool preserve_all_tensors = false);
  ~MicroInterpreter();
  TfLiteStatus AllocateTensors();
  TfLiteStatus Invoke();
  size_t inputs_size() const;
  TfLiteTensor *input(size_t index);
  size_t outputs_size() const;
  TfLiteTensor *output(size_t index);
  size_t arena_used_bytes() const;
};
}  // namespace tflite
#endif
