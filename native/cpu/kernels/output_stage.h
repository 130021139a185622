#pragma once

namespace dl::cpu {

/// y = min(max(v, 0), upper) where `present`; upper is infinite for a plain ReLU.
struct Activation {
  bool present = false;
  float upper = 0;
};

/// What a convolution makes of its sums: y = activation(sum + bias (+ what y holds)).
struct OutputStage {
  const float* bias = nullptr;  // (out channels) or null
  bool adds = false;            // what y holds
  Activation activation;
};

}  // namespace dl::cpu
