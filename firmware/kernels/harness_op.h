// An entry of the operator table: a builtin, the function that registers its kernel, the parser of its options.
#ifndef HARNESS_OP_H_
#define HARNESS_OP_H_

#include "tensorflow/lite/micro/micro_op_resolver.h"

struct harness_op {
  tflite::BuiltinOperator builtin;
  TfLiteRegistration *(*registration)();
  tflite::MicroOpResolver::BuiltinParseFunction parse;
};

#endif  // HARNESS_OP_H_
