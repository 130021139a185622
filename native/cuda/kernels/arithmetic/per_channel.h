#pragma once

#include "cuda/kernels/arithmetic/vector8.h"

namespace dl::cuda {

/// A thread's eight values of an array (channels) of float32; `otherwise` where there is no array or no channel.
template <bool kWhole>
DL_HOST_DEVICE void load_channels(const float* array, int64_t channel, int count, float otherwise, float (&values)[kVector]) {
  DL_UNROLL
  for (int c = 0; c < kVector; ++c) values[c] = array != nullptr && (kWhole || c < count) ? array[channel + c] : otherwise;
}

}  // namespace dl::cuda
