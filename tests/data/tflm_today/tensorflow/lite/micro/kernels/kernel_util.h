#ifndef TFLM_KERNEL_UTIL_H_
#define TFLM_KERNEL_UTIL_H_
#include "tensorflow/lite/micro/micro_common.h"
#endif
