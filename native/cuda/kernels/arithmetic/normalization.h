#pragma once

#include <cmath>
#include <cstdint>

#include "cuda/kernels/arithmetic/host_device.h"

namespace dl::cuda {

/// What the forward pass keeps of a batch norm for its backward pass: four arrays of (channels) float32.
struct NormalizationSaved {
  float* mean = nullptr;
  float* inverse_deviation = nullptr;  // 1 / sqrt(variance + epsilon)
  float* scale = nullptr;              // weight * inverse_deviation
  float* shift = nullptr;              // bias - mean * scale
};

DL_HOST_DEVICE void save_normalization(const NormalizationSaved& saved, int64_t channel, double mean, double variance,
                                       double epsilon, float weight, float bias) {
  const double inverse_deviation = 1.0 / sqrt(variance + epsilon);
  const double scale = static_cast<double>(weight) * inverse_deviation;
  saved.mean[channel] = static_cast<float>(mean);
  saved.inverse_deviation[channel] = static_cast<float>(inverse_deviation);
  saved.scale[channel] = static_cast<float>(scale);
  saved.shift[channel] = static_cast<float>(static_cast<double>(bias) - mean * scale);
}

}  // namespace dl::cuda
