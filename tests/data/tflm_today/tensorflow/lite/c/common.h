#ifndef TFLM_C_COMMON_H_
#define TFLM_C_COMMON_H_
#include <stddef.h>
#include <stdint.h>
typedef enum TfLiteStatus { kTfLiteOk = 0, kTfLiteError = 1 } TfLiteStatus;
typedef struct TfLiteIntArray {
  int size;
  int data[];
} TfLiteIntArray;
typedef union TfLitePtrUnion {
  int8_t *int8;
  char *raw;
  void *data;
} TfLitePtrUnion;
typedef struct TfLiteTensor {
  TfLitePtrUnion data;
  size_t bytes;
} TfLiteTensor;
typedef struct TfLiteEvalTensor {
  TfLitePtrUnion data;
  TfLiteIntArray *dims;
  int type;
} TfLiteEvalTensor;
typedef struct TfLiteNode {
  TfLiteIntArray *inputs;
  TfLiteIntArray *outputs;
  void *user_data;
  void *builtin_data;
} TfLiteNode;
typedef struct TfLiteContext {
  void *impl_;
  TfLiteEvalTensor *(*GetEvalTensor)(const struct TfLiteContext *context, int index);
  TfLiteStatus (*RequestScratchBufferInArena)(struct TfLiteContext *context, size_t bytes, int *index);
  void *(*GetScratchBuffer)(struct TfLiteContext *context, int index);
} TfLiteContext;
#endif
