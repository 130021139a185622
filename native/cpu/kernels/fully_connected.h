#pragma once

#include <cstdint>

namespace dl::cpu {

/// y (images, out) = x (images, in) * weights (out, in) transposed + bias.
struct FullyConnectedForward {
  int64_t images, in, out;
  int64_t threads;
  const float* x;
  const float* weights;
  const float* bias;  // (out) or null
  float* y;
  float* scratch;
};

struct FullyConnectedKernels {
  /// Values of scratch memory.
  int64_t (*scratch)(const FullyConnectedForward& job);
  /// The same bits whatever the number of threads.
  void (*forward)(const FullyConnectedForward& job);
};

}  // namespace dl::cpu
