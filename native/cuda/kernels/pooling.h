#pragma once

#include <limits>

#include "cuda/kernels/arithmetic/vector8.h"
#include "cuda/kernels/arithmetic/window.h"
#include "cuda/kernels/launch.h"

namespace dl::cuda {

/// Pooling: a block has one row of the result, a thread eight channels of one of its pixels at a time.
/// Function: eight(image, row, column, channel, count) computes them; kBlocks as a kernel has it.
template <class Function>
struct PoolingRows {
  static constexpr int kThreads = 256;
  static constexpr int kBlocks = Function::kBlocks;
  static constexpr int kPhases = 1;
  using Shared = Nothing;
  using State = Nothing;

  Function function;
  int height, width, channels;  // of the result

  template <int kPhase>
  DL_HOST_DEVICE void phase(const Place& place, Shared&, State&) const {
    const int64_t image = place.block / height;
    const int row = static_cast<int>(place.block % height), groups = (channels + kVector - 1) / kVector;
    for (int item = place.thread; item < width * groups; item += kThreads) {
      const int channel = item % groups * kVector, left = channels - channel;
      function.eight(image, row, item / groups, channel, left < kVector ? left : kVector);
    }
  }
};

/// The result is the layer's output, or its input's gradient.
template <class Function>
cudaError_t launch_pooling(const Launch& on, const Window& window, bool forward, const Function& function) {
  const int64_t height = forward ? window.out_height : window.in_height, width = forward ? window.out_width : window.in_width;
  if (width * window.channels > std::numeric_limits<int>::max()) return cudaErrorInvalidValue;
  return launch(
      on, window.images * height,
      PoolingRows<Function>{function, static_cast<int>(height), static_cast<int>(width), static_cast<int>(window.channels)});
}

}  // namespace dl::cuda
