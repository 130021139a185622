#pragma once

#include <cmath>
#include <cstdint>

#include "cuda/kernels/arithmetic/activation.h"
#include "cuda/kernels/arithmetic/vector8.h"

namespace dl::cuda {

/// How a backward pass knows what the activation let pass.
enum class Gate {
  kOpen,       // there was no activation
  kRecompute,  // by the forward pass's x * scale + shift
  kMask,       // by the bits that the forward pass left
};

/// The forward pass in float32: the same expression wherever it is needed, so that the backward pass finds the same sign.
DL_HOST_DEVICE float normalize(float x, float scale, float shift) { return fmaf(x, scale, shift); }

}  // namespace dl::cuda
