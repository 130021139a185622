#pragma once

#include "cuda/kernels/arithmetic/vector8.h"
#include "cuda/kernels/launch.h"

namespace dl::cuda {

/// Threads of a block that handles one segment of the parameters, eight values a thread at a time.
constexpr int kSegmentThreads = 256;

/// Calls f(std::bool_constant<whole>, index in the flat arrays, count) for the thread's values.
template <class F>
DL_HOST_DEVICE void for_each_eight(const ParameterSegment& segment, int thread, const F& f) {
  for (int32_t at = thread * kVector; at < segment.length; at += kSegmentThreads * kVector) {
    const int32_t left = segment.length - at;
    if (left >= kVector) {
      f(std::true_type(), segment.offset + at, kVector);
    } else {
      f(std::false_type(), segment.offset + at, left);
    }
  }
}

}  // namespace dl::cuda
