#include <doctest/doctest.h>
#include <omp.h>

#include <algorithm>
#include <random>
#include <vector>

#include "cpu/kernels/kernels.h"
#include "test/kernel_cases.h"

namespace dl::test {
namespace {

using namespace dl::cpu;

/// Calls f(image, out channel, in channel, out y, out x, in y, in x, tap) for every product of the definition.
template <class F>
void for_each_product(const WinogradShape& s, int64_t taps, const F& f) {
  for (int64_t n = 0; n < s.out.images; ++n)
    for (int64_t o = 0; o < s.out.channels; ++o)
      for (int64_t c = 0; c < s.in.channels; ++c)
        for (int64_t p = 0; p < s.out.spatial(); ++p)
          for (int64_t tap = 0; tap < taps * taps; ++tap) {
            const int64_t y = p / s.out.width, x = p % s.out.width;
            const int64_t iy = y + tap / taps - s.padding_height, ix = x + tap % taps - s.padding_width;
            if (iy < 0 || iy >= s.in.height || ix < 0 || ix >= s.in.width) continue;
            f(place(s.out, n, o, y, x), place(s.in, n, c, iy, ix),
              static_cast<size_t>((o * s.in.channels + c) * taps * taps + tap));
          }
}

/// Forward without and with a last stage, data gradient and weight gradient, set and added, against the definition in float64.
/// `rounded`: error of results that are rounded to T, `exact`: of those that are float32.
template <class T>
void check_shape(const WinogradKernels<T>& kernel, Order order, int64_t height, int64_t width, int64_t padding, double rounded,
                 double exact) {
  CAPTURE(height);
  CAPTURE(width);
  CAPTURE(padding);
  std::mt19937 random(7);
  const int64_t in_channels = kernel.channels, out_channels = 2 * kernel.channels, threads = omp_get_max_threads();
  const int64_t taps = kernel.taps, less = 2 * padding - (taps - 1);
  const WinogradShape shape{{2, in_channels, height, width, order},
                            {2, out_channels, height + less, width + less, order},
                            padding,
                            padding,
                            kernel.tile};
  const WinogradShape turned{shape.out, shape.in, taps - 1 - padding, taps - 1 - padding, kernel.tile};
  const auto x = normal_values<T>(shape.in.size(), random), dy = normal_values<T>(shape.out.size(), random);
  const auto weights = normal_values<float>(in_channels * out_channels * taps * taps, random);
  const auto bias = normal_values<float>(out_channels, random);
  std::vector<T> y(dy.size()), dx(x.size());
  std::vector<float> dw(weights.size()), filters(static_cast<size_t>(kernel.filter_values(out_channels, in_channels)));
  std::vector<float> data_filters(static_cast<size_t>(kernel.filter_values(in_channels, out_channels)));
  std::vector<float> scratch(
      static_cast<size_t>(std::max({kernel.convolution_scratch(shape, threads), kernel.convolution_scratch(turned, threads),
                                    kernel.weight_gradient_scratch(shape, 7)})));
  std::vector<double> exact_y(y.size()), exact_dx(dx.size()), exact_dw(dw.size());
  for (int64_t n = 0; n < shape.out.images; ++n)
    for (int64_t o = 0; o < out_channels; ++o)
      for (int64_t p = 0; p < shape.out.spatial(); ++p)
        exact_y[place(shape.out, n, o, p / shape.out.width, p % shape.out.width)] = bias[static_cast<size_t>(o)];
  for_each_product(shape, taps, [&](size_t to, size_t from, size_t w) {
    const double a = cpu::load(x[from]), g = cpu::load(dy[to]), v = weights[w];
    exact_y[to] += v * a, exact_dx[from] += v * g, exact_dw[w] += a * g;
  });

  kernel.filters({out_channels, in_channels, weights.data(), false, filters.data()});
  kernel.convolution({shape, threads, x.data(), filters.data(), {bias.data(), false, {}}, y.data(), scratch.data()});
  CHECK(error(y, exact_y) < rounded);
  kernel.convolution({shape, threads, x.data(), filters.data(), {bias.data(), true, {true, 20}}, y.data(), scratch.data()});
  for (double& value : exact_y) value = std::clamp(2 * value, 0.0, 20.0);
  CHECK(error(y, exact_y) < 2 * rounded);
  kernel.filters({in_channels, out_channels, weights.data(), true, data_filters.data()});
  kernel.convolution({turned, threads, dy.data(), data_filters.data(), {}, dx.data(), scratch.data()});
  CHECK(error(dx, exact_dx) < rounded);
  kernel.weight_gradient({shape, threads, x.data(), dy.data(), dw.data(), false, scratch.data()});
  CHECK(error(dw, exact_dw) < exact);
  kernel.weight_gradient({shape, threads, x.data(), dy.data(), dw.data(), true, scratch.data()});
  for (double& value : exact_dw) value *= 2;
  CHECK(error(dw, exact_dw) < exact);
  // However many threads share the work, and whatever they share it by.
  std::vector<float> alone(dw.size()), shared(dw.size());
  kernel.weight_gradient({shape, 1, x.data(), dy.data(), alone.data(), false, scratch.data()});
  for (const int64_t many : {2, 3, 4, 7}) {
    kernel.weight_gradient({shape, many, x.data(), dy.data(), shared.data(), false, scratch.data()});
    CHECK(shared == alone);
  }
}

template <class T>
void check_shapes(const WinogradKernels<T>* kernel, Order order, double rounded, double exact) {
  if (!kernel) {
    MESSAGE("this processor has no such kernels");
    return;
  }
  for (int64_t padding = 0; padding < kernel->taps; ++padding) {
    check_shape(*kernel, order, 8, 8, padding, rounded, exact);
    check_shape(*kernel, order, kernel->taps, 7, padding, rounded, exact);
    check_shape(*kernel, order, 13, 10, padding, rounded, exact);
  }
}

// bfloat16 has 8 bits: half a unit in the last place is 2^-9 to 2^-8 of a value, 1.7e-3 of the norm.
TEST_CASE("Winograd's kernels: float32") { check_shapes<float>(kernels().winograd, Order::kNhwc, 1e-6, 1e-6); }
TEST_CASE("Winograd's kernels: bfloat16, channels last") {
  check_shapes<Bfloat16>(kernels().winograd_bfloat16, Order::kNhwc, 1.8e-3, 2e-6);
}
TEST_CASE("Winograd's kernels: bfloat16, groups of channels") {
  check_shapes<Bfloat16>(kernels().winograd_bfloat16, Order::kBlocked16, 1.8e-3, 2e-6);
}
TEST_CASE("Winograd's kernels: 5 x 5, bfloat16, channels last") {
  check_shapes<Bfloat16>(kernels().winograd_5x5_bfloat16, Order::kNhwc, 1.8e-3, 4e-6);
}
TEST_CASE("Winograd's kernels: 5 x 5, bfloat16, groups of channels") {
  check_shapes<Bfloat16>(kernels().winograd_5x5_bfloat16, Order::kBlocked16, 1.8e-3, 4e-6);
}

}  // namespace
}  // namespace dl::test
