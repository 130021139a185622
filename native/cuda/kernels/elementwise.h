#pragma once

#include "cuda/kernels/arithmetic/vector8.h"
#include "cuda/kernels/launch.h"

namespace dl::cuda {

/// A flat array, eight values a thread and turn. Function: eight(at, count) handles the values at, at + 1, ... of which `count`
/// exist; kWhole where count is always 8.
template <class Function>
struct Elementwise {
  static constexpr int kThreads = 256;
  static constexpr int kBlocks = 4;
  static constexpr int kPhases = 1;
  static constexpr int kTurns = 2;
  using Shared = Nothing;
  using State = Nothing;

  Function function;
  int64_t size;

  template <int kPhase>
  DL_HOST_DEVICE void phase(const Place& place, Shared&, State&) const {
    DL_UNROLL
    for (int turn = 0; turn < kTurns; ++turn) {
      const int64_t at = ((place.block * kTurns + turn) * kThreads + place.thread) * kVector;
      const int64_t left = size - at;
      if (left > 0) function.eight(at, static_cast<int>(left < kVector ? left : kVector));
    }
  }
};

template <class Function>
cudaError_t launch_elementwise(const Launch& on, int64_t size, const Function& function) {
  using Program = Elementwise<Function>;
  return launch(on, blocks_for(size, Program::kTurns * Program::kThreads * kVector), Program{function, size});
}

}  // namespace dl::cuda
