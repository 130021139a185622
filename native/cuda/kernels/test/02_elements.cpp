// Bfloat16 as the reference rounds it, and the vectors of eight.
#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "cuda/kernels/arithmetic/moments.h"
#include "cuda/kernels/arithmetic/vector8.h"
#include "cuda/kernels/test/buffer.h"
#include "cuda/kernels/test/comparison.h"
#include "reference/storage.h"

namespace dl::cuda::test {
namespace {

TEST_CASE("the cast rounds to nearest, ties to even, and back is exact") {
  std::vector<float> values = random_values<float>(4099, 1, -3, 3);
  const float infinity = std::numeric_limits<float>::infinity();
  for (const float value : {0.0f, -0.0f, 1.00390625f, 1.01171875f, -1.00390625f, 3.4e38f, 1e-30f, infinity, -infinity})
    values.push_back(value);
  for (const size_t shift : {0, 1}) {
    Buffer<float> x(values, shift);
    Buffer<Bfloat16> y(static_cast<int64_t>(values.size()), shift);
    Buffer<float> back(static_cast<int64_t>(values.size()), shift);
    check(cast(on(), static_cast<int64_t>(values.size()), x.get(), y.get()));
    check(cast(on(), static_cast<int64_t>(values.size()), y.get(), back.get()));
    const std::vector<Bfloat16> rounded = y.read();
    const std::vector<float> returned = back.read();
    int wrong = 0;
    for (size_t i = 0; i < values.size(); ++i) {
      const double value = static_cast<double>(load(rounded[i]));
      const double expected = reference::round_to_bfloat16(static_cast<double>(values[i]));
      const bool overflow = std::abs(expected) > 3.3895e38;  // the reference knows no largest value
      wrong += (overflow ? std::isinf(value) : value == expected) && load(rounded[i]) == returned[i] ? 0 : 1;
    }
    CHECK(wrong == 0);
  }
}

TEST_CASE("NaN stays NaN") {
  Buffer<float> x(std::vector<float>(8, std::numeric_limits<float>::quiet_NaN()));
  Buffer<Bfloat16> y(8);
  check(cast(on(), 8, x.get(), y.get()));
  for (const Bfloat16 value : y.read()) CHECK(std::isnan(load(value)));
}

TEST_CASE("joined moments are those of the union, far from 0, too") {
  const auto values = random_values<float>(1000, 5, 9999, 10001);
  double mean = 0, square = 0;
  for (const float value : values) mean += static_cast<double>(value) / 1000;
  for (const float value : values) square += std::pow(static_cast<double>(value) - mean, 2);
  Moments joined{0, 0};
  float n = 0;
  for (const float value : values) {
    joined = join(joined, n, Moments{value, 0}, 1);
    n += 1;
  }
  CHECK(std::abs(static_cast<double>(joined.mean) - mean) < 0.01);
  CHECK(std::abs(static_cast<double>(joined.square) / square - 1) < 0.01);
}

}  // namespace
}  // namespace dl::cuda::test
