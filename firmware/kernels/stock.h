// For kernels of ours that hand some nodes on to the stock kernel of the same operator.
#ifndef HARNESS_STOCK_H_
#define HARNESS_STOCK_H_

#include "tensorflow/lite/c/common.h"

namespace harness {

// Runs a function of the stock kernel with the stock kernel's data in the place of ours; T has a member `stock_data`.
template <typename T>
TfLiteStatus CallStock(TfLiteStatus (*function)(TfLiteContext *, TfLiteNode *), TfLiteContext *context,
                       TfLiteNode *node) {
  auto *data = static_cast<T *>(node->user_data);
  node->user_data = data->stock_data;
  TfLiteStatus status = function(context, node);
  node->user_data = data;
  return status;
}

}  // namespace harness

#endif  // HARNESS_STOCK_H_
