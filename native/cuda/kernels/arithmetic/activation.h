#pragma once

#include <limits>

#include "cuda/kernels/arithmetic/host_device.h"
#include "engine/activation.h"

namespace dl::cuda {

/// What an activation lets pass: lower < v < upper.
struct Bounds {
  float lower, upper;

  /// NaN stays NaN: a diverged step must be seen.
  DL_HOST_DEVICE float clamp(float v) const {
    v = v < lower ? lower : v;
    return v > upper ? upper : v;
  }
  DL_HOST_DEVICE bool pass(float v) const { return v > lower && v < upper; }
};

inline Bounds bounds(const Activation& activation) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  return activation.present ? Bounds{0, activation.upper} : Bounds{-kInfinity, kInfinity};
}

}  // namespace dl::cuda
