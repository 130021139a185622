#pragma once

#include <cmath>

#include "cuda/kernels/arithmetic/host_device.h"

namespace dl::cuda {

/// SGD with momentum for one value:
///   v = momentum * v - learning_rate * (g + weight_prior * w);   w = keep * w + v
struct SgdRule {
  float learning_rate;  // times what clipping leaves of the gradient
  float momentum;
  float weight_prior;  // 0 where the value is not regularised
  float keep;          // 1 there, else 1 - learning rate * weight decay

  DL_HOST_DEVICE void apply(float g, float& w, float& v) const {
    v = momentum * v - learning_rate * (g + weight_prior * w);
    w = keep * w + v;
  }
};

/// Adam for one value:
///   g = gradient_scale * (g + weight_prior * w);   m = m + (1 - beta1) * (g - m);   v = v + (1 - beta2) * (g * g - v)
///   w = keep * w - step * m / (sqrt(v) * root + epsilon)
struct AdamRule {
  float step;  // of the tensor: learning rate / (1 - beta1^t)
  float root;  // of the tensor: 1 / sqrt(1 - beta2^t)
  float gradient_scale;
  float one_minus_beta1;
  float one_minus_beta2;
  float epsilon;
  float weight_prior;
  float keep;

  DL_HOST_DEVICE void apply(float gradient, float& w, float& m, float& v) const {
    const float g = gradient_scale * (gradient + weight_prior * w);
    // Written as a way towards the new value, so that a rounded beta does not shift the mean; v stays at 0 or above.
    m += one_minus_beta1 * (g - m);
    v += one_minus_beta2 * (g * g - v);
    w = keep * w - step * m / (sqrtf(v) * root + epsilon);
  }
};

}  // namespace dl::cuda
