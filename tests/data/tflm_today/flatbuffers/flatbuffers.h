#ifndef FLATBUFFERS_FLATBUFFERS_H_
#define FLATBUFFERS_FLATBUFFERS_H_
#include <stdint.h>

#include "flatbuffers/base.h"
namespace flatbuffers {
template <typename T>
struct Vector {
  uint32_t size() const;
  T Get(uint32_t index) const;
};
}  // namespace flatbuffers
#endif
