#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cuda/kernels/arithmetic/element.h"
#include "reference/tensor.h"

namespace dl::cuda::test {

/// Seeded numbers in [low, high), as T stores them.
template <class T>
std::vector<T> random_values(int64_t count, uint64_t seed, double low = -1, double high = 1);

/// Values as float64.
template <class T>
reference::Values to_double(const std::vector<T>& values) {
  reference::Values result;
  for (const T& value : values) result.push_back(static_cast<double>(load(value)));
  return result;
}

/// NHWC values of the kernels to the reference's NCHW.
reference::Tensor to_nchw(const reference::Values& values, int64_t n, int64_t h, int64_t w, int64_t c);
/// And back.
reference::Values to_nhwc(const reference::Tensor& tensor);

/// What rounding to T may add: half a unit in the last place.
template <class T>
constexpr double kRounding = sizeof(T) == 2 ? 1.0 / 256 : 0;

/// Each value differs from the expected one by at most `relative` of it plus `floor` of the greatest expected value, or of
/// `least` where that is greater.
void check_close(const std::string& what, const reference::Values& actual, const reference::Values& expected, double relative,
                 double floor, double least = 0);

}  // namespace dl::cuda::test
