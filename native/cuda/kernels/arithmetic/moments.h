#pragma once

#include "cuda/kernels/arithmetic/host_device.h"

namespace dl::cuda {

/// Mean of a set of values and the sum of their squared distances from it.
struct alignas(8) Moments {
  float mean;
  float square;
};

/// Of the union of two sets with n_a and n_b values (Chan, Golub and LeVeque, 1979): nothing cancels, whatever the mean. n_b > 0.
DL_HOST_DEVICE Moments join(const Moments& a, float n_a, const Moments& b, float n_b) {
  const float share = n_b / (n_a + n_b);
  const float delta = b.mean - a.mean;
  return {a.mean + delta * share, a.square + (b.square + delta * delta * (n_a * share))};
}

/// Two sums over the same set of values.
struct alignas(8) Sums {
  float first;
  float second;
};

DL_HOST_DEVICE Sums join(const Sums& a, float /*n_a*/, const Sums& b, float /*n_b*/) {
  return {a.first + b.first, a.second + b.second};
}

}  // namespace dl::cuda
