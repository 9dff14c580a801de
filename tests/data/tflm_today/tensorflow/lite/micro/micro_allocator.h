#ifndef TFLM_MICRO_ALLOCATOR_H_
#define TFLM_MICRO_ALLOCATOR_H_
#include "tensorflow/lite/micro/micro_common.h"
namespace tflite {
struct NodeAndRegistration {
  TfLiteNode node;
  const TFLMRegistration *registration;
};
}  // namespace tflite
#endif
