// The operator table of one kernel set. Each entry stands in a section of its own, so that the linker keeps only those
// that an image names.
#include "kernels.h"
#include "parse.h"
#include "tensorflow/lite/micro/kernels/micro_ops.h"
#include "vintage.h"

#define HARNESS_OP(NAME, REGISTRATION, PARSE) \
  extern "C" const harness_op harness_op_##NAME = {tflite::BuiltinOperator_##NAME, REGISTRATION, PARSE};

#define HARNESS_STOCK_OP(NAME) HARNESS_OP(NAME, tflite::ops::micro::Register_##NAME, tflite::ParseOpData)
#include "op_list.h"

HARNESS_OP(MEAN, harness::Register_MEAN, tflite::ParseOpData)
HARNESS_OP(QUANTIZE, harness::Register_QUANTIZE, tflite::ParseOpData)

#ifdef HARNESS_CMSIS_NN
extern "C" const char harness_kernels[] = "cmsis-nn";
HARNESS_OP(CONV_2D, harness::cmsis_nn::Register_CONV_2D, harness::ParseWithOperator)
HARNESS_OP(DEPTHWISE_CONV_2D, harness::cmsis_nn::Register_DEPTHWISE_CONV_2D, harness::ParseWithOperator)
HARNESS_OP(FULLY_CONNECTED, harness::cmsis_nn::Register_FULLY_CONNECTED, harness::ParseWithOperator)
HARNESS_OP(AVERAGE_POOL_2D, harness::cmsis_nn::Register_AVERAGE_POOL_2D, tflite::ParseOpData)
HARNESS_OP(MAX_POOL_2D, harness::cmsis_nn::Register_MAX_POOL_2D, tflite::ParseOpData)
#else
#ifndef HARNESS_KERNELS
#define HARNESS_KERNELS "reference"
#endif
extern "C" const char harness_kernels[] = HARNESS_KERNELS;  // a user's library may have others
HARNESS_OP(CONV_2D, tflite::ops::micro::Register_CONV_2D, tflite::ParseOpData)
HARNESS_OP(DEPTHWISE_CONV_2D, harness::Register_DEPTHWISE_CONV_2D, harness::ParseWithOperator)
HARNESS_OP(FULLY_CONNECTED, harness::Register_FULLY_CONNECTED, harness::ParseWithOperator)
HARNESS_OP(AVERAGE_POOL_2D, tflite::ops::micro::Register_AVERAGE_POOL_2D, tflite::ParseOpData)
HARNESS_OP(MAX_POOL_2D, tflite::ops::micro::Register_MAX_POOL_2D, tflite::ParseOpData)
#endif
