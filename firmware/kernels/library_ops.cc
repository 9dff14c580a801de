// The operator table of a user's library: what its headers have an Add method for and its archive a kernel
// (library_ops.h, which harness/user_library writes). Each entry stands in sections of its own, so that the linker keeps
// only those that an image names.
#include "vintage.h"

#define HARNESS_LIBRARY_OP(NAME, ADD)                               \
  namespace {                                                       \
  void Add_##NAME(harness::vintage::Table *table) { table->ADD(); } \
  }                                                                 \
  extern "C" const harness_op harness_op_##NAME = {tflite::BuiltinOperator_##NAME, Add_##NAME};
#include "library_ops.h"
#undef HARNESS_LIBRARY_OP

extern "C" const char harness_kernels[] = HARNESS_KERNELS;
