#ifndef TFLM_COMPATIBILITY_H_
#define TFLM_COMPATIBILITY_H_
#define TF_LITE_REMOVE_VIRTUAL_DELETE \
  void operator delete(void *) {}
#endif
