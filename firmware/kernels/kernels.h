// Kernels of our own, and CMSIS-NN's behind TFLM's registration interface.
#ifndef HARNESS_KERNELS_H_
#define HARNESS_KERNELS_H_

#include "tensorflow/lite/c/common.h"

namespace harness {

// Where today's converter emits what the stock kernels of this vintage get wrong; everything else goes on to them.
TfLiteRegistration *Register_FULLY_CONNECTED();  // int8 weights with one scale per output channel
TfLiteRegistration *
Register_DEPTHWISE_CONV_2D();             // dilation, int8 activations that clamp below the type's range, no bias
TfLiteRegistration *Register_MEAN();      // int8, over any axes
TfLiteRegistration *Register_QUANTIZE();  // int8 from one scale to another

namespace cmsis_nn {

// int8 by CMSIS-NN; other types by the reference kernels.
TfLiteRegistration *Register_CONV_2D();
TfLiteRegistration *Register_DEPTHWISE_CONV_2D();
TfLiteRegistration *Register_FULLY_CONNECTED();
TfLiteRegistration *Register_AVERAGE_POOL_2D();
TfLiteRegistration *Register_MAX_POOL_2D();

}  // namespace cmsis_nn
}  // namespace harness

#endif  // HARNESS_KERNELS_H_
