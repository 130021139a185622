#pragma once

#include "engine/activation.h"

namespace dl::cpu {

/// What a convolution makes of its sums: y = activation(sum + bias (+ what y holds)).
struct OutputStage {
  const float* bias = nullptr;  // (out channels) or null
  bool adds = false;            // what y holds
  Activation activation;
};

}  // namespace dl::cpu
