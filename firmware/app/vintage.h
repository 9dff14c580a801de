// What differs between releases of TFLM, chosen by what its headers hold: each of the two headers gives the same names.
//
//   Registration, ParseFunction           the types of a kernel's registration and of its options' parser
//   Kernel                                what the resolver's wrapper calls of the kernel behind it
//   ResolverOf<T>                         TFLM's resolver, on T::Find(builtin) and T::Parser(builtin)
//   TensorBytes(context, index)           a tensor while an operator runs
//   InputBytes(tensor, reporter)          the size of a model's tensor before there is an interpreter
//   MakeInterpreter(memory, ...)          an interpreter in memory that is there
//   LogTakesArguments()                   whether DebugLog gets a format and its arguments, or finished text
#ifndef HARNESS_VINTAGE_H_
#define HARNESS_VINTAGE_H_

#include <stddef.h>
#include <stdint.h>

namespace harness {
namespace vintage {

// The value of a tensor, in the arena or in the model.
struct Bytes {
  const uint8_t *data;
  size_t size;
};

}  // namespace vintage
}  // namespace harness

// Since the autumn of 2020 kernels see TfLiteEvalTensor, which this header came with.
#if __has_include("tensorflow/lite/micro/kernels/kernel_util.h")
#include "vintage/modern.h"
#else
#include "vintage/july2020.h"
#endif

#endif  // HARNESS_VINTAGE_H_
