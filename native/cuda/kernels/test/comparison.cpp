#include "cuda/kernels/test/comparison.h"

#include <doctest/doctest.h>

#include <cmath>

#include "test/random.h"

namespace dl::cuda::test {

template <class T>
std::vector<T> random_values(int64_t count, uint64_t seed, double low, double high) {
  dl::test::Random random(seed);
  std::vector<T> values(static_cast<size_t>(count));
  for (T& value : values) store(value, static_cast<float>(random.uniform(low, high)));
  return values;
}
template std::vector<float> random_values(int64_t, uint64_t, double, double);
template std::vector<Bfloat16> random_values(int64_t, uint64_t, double, double);

reference::Tensor to_nchw(const reference::Values& values, int64_t n, int64_t h, int64_t w, int64_t c) {
  reference::Tensor tensor(n, c, h, w);
  size_t i = 0;
  for (int64_t in = 0; in < n; ++in)
    for (int64_t ih = 0; ih < h; ++ih)
      for (int64_t iw = 0; iw < w; ++iw)
        for (int64_t ic = 0; ic < c; ++ic) tensor.at(in, ic, ih, iw) = values.at(i++);
  return tensor;
}

reference::Values to_nhwc(const reference::Tensor& tensor) {
  reference::Values values;
  for (int64_t in = 0; in < tensor.n; ++in)
    for (int64_t ih = 0; ih < tensor.h; ++ih)
      for (int64_t iw = 0; iw < tensor.w; ++iw)
        for (int64_t ic = 0; ic < tensor.c; ++ic) values.push_back(tensor.at(in, ic, ih, iw));
  return values;
}

void check_close(const std::string& what, const reference::Values& actual, const reference::Values& expected, double relative,
                 double floor, double least) {
  CAPTURE(what);
  REQUIRE(actual.size() == expected.size());
  double greatest = least;
  for (const double value : expected) greatest = std::max(greatest, std::abs(value));
  size_t worst = 0;
  double worst_excess = -1;
  for (size_t i = 0; i < actual.size(); ++i) {
    const double excess = std::abs(actual[i] - expected[i]) - relative * std::abs(expected[i]) - floor * greatest;
    if (!(excess <= worst_excess)) {
      worst = i;
      worst_excess = excess;
    }
  }
  if (actual.empty()) return;
  CAPTURE(worst);
  CAPTURE(actual[worst]);
  CAPTURE(expected[worst]);
  CAPTURE(greatest);
  CHECK(worst_excess <= 0);
}

}  // namespace dl::cuda::test
