#pragma once

#include <cstdint>
#include <random>

#include "reference/tensor.h"

namespace dl::test {

/// Seeded numbers, the same on every machine (the standard's distributions are not).
class Random {
 public:
  explicit Random(uint64_t seed) : engine_(seed) {}

  /// In [low, high).
  double uniform(double low, double high) { return low + (high - low) * static_cast<double>(engine_() >> 11) * 0x1p-53; }
  /// In [low, high].
  int64_t integer(int64_t low, int64_t high) {
    return low + static_cast<int64_t>(engine_() % static_cast<uint64_t>(high - low + 1));
  }
  bool chance(double probability) { return uniform(0, 1) < probability; }

  reference::Values values(int64_t count, double low, double high) {
    reference::Values result(static_cast<size_t>(count));
    for (double& value : result) value = uniform(low, high);
    return result;
  }

  reference::Tensor tensor(int64_t n, int64_t c, int64_t h, int64_t w, double low = -1, double high = 1) {
    reference::Tensor result(n, c, h, w);
    result.values = values(n * c * h * w, low, high);
    return result;
  }

 private:
  std::mt19937_64 engine_;
};

}  // namespace dl::test
