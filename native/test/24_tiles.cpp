// Convolutions as products of tiles of bfloat16 against the definition in float64.
#include <doctest/doctest.h>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "cpu/kernels/kernels.h"
#include "cpu/operations/tap_parts.h"
#include "test/kernel_cases.h"

namespace dl::test {
namespace {

using namespace dl::cpu;

double rounded(float value) {
  Bfloat16 half;
  cpu::store(half, value);
  return static_cast<double>(cpu::load(half));
}

/// Parts of a product, one after the other.
void multiply(const std::vector<TapPart>& parts, const LinearShape& shape, bool data_gradient, const std::vector<Bfloat16>& x,
              const std::vector<float>& weights, const OutputStage& stage, int64_t threads, std::vector<Bfloat16>& y) {
  const TapProductKernels<Bfloat16>& kernel = *kernels().tap_product_bfloat16;
  for (const TapPart& part : parts) {
    std::vector<Bfloat16> filters(static_cast<size_t>(kernel.filter_values(part.grid, part.taps)), Bfloat16{0x7FFF});
    kernel.filters({part.grid.out.channels, part.grid.in.channels, shape.weights[2] * shape.weights[3], part.taps,
                    part.filter_taps, weights.data(), data_gradient, filters.data()});
    std::vector<float> scratch = scratch_memory(kernel.product_scratch(part.grid, part.taps, threads));
    kernel.product({part.grid, part.taps, threads, x.data(), filters.data(), stage, y.data(), scratch.data()});
  }
}

// Half a unit in the last place of bfloat16 is 2^-9 to 2^-8 of a value, 1.7e-3 of the norm.
constexpr double kRounded = 1.8e-3;

/// Forward without and with a last stage, data gradient and weight gradient, by some numbers of threads.
void check(const Case& c) {
  const std::string name = describe(c);
  CAPTURE(name);
  std::mt19937 random(11);
  const LinearShape shape = linear_shape(c, Order::kNhwc);
  const auto x = normal_values<Bfloat16>(shape.in.size(), random), dy = normal_values<Bfloat16>(shape.out.size(), random);
  const auto weights = normal_values<float>(c.in_channels * c.out_channels * c.kernel_height * c.kernel_width, random);
  const auto bias = normal_values<float>(c.out_channels, random);
  std::vector<double> exact_y(dy.size()), exact_dx(x.size()), exact_dw(weights.size());
  for (size_t i = 0; i < exact_y.size(); ++i) exact_y[i] = static_cast<double>(bias[i % bias.size()]);
  for_each_product(shape, [&](size_t to, size_t from, size_t w) {
    const double a = cpu::load(x[from]), g = cpu::load(dy[to]), v = rounded(weights[w]);
    exact_y[to] += v * a, exact_dx[from] += v * g, exact_dw[w] += a * g;
  });

  const std::vector<TapPart> forward{forward_tap_part(shape)}, backward = data_gradient_parts(shape);
  std::vector<Bfloat16> y(dy.size()), dx(x.size());
  for (const int64_t threads : {1, 2, 5}) {
    CAPTURE(threads);
    multiply(forward, shape, false, x, weights, {bias.data(), false, {}}, threads, y);
    CHECK(error(y, exact_y) < kRounded);
    multiply(backward, shape, true, dy, weights, {}, threads, dx);
    CHECK(error(dx, exact_dx) < kRounded);
  }
  const TapProductKernels<Bfloat16>& kernel = *kernels().tap_product_bfloat16;
  check_weight_gradient({kernel.weight_gradient_scratch, kernel.weight_gradient}, forward[0], x, dy, exact_dw);
  multiply(forward, shape, false, x, weights, {bias.data(), true, {true, 6}}, 2, y);
  for (double& value : exact_y) value = std::clamp(2 * value, 0.0, 6.0);
  CHECK(error(y, exact_y) < 2 * kRounded);
}

TEST_CASE("products of tiles: pixel by pixel") {
  check({2, 32, 48, 5, 7, 1, 1, 1, 0});
  check({3, 64, 32, 4, 4, 1, 1, 1, 0});
  check({1, 96, 20, 1, 1, 1, 1, 1, 0});
  check({2, 24, 40, 6, 5, 1, 1, 1, 0});
  check({2, 7, 9, 3, 3, 1, 1, 1, 0});
  check({2, 32, 16, 7, 7, 1, 1, 2, 0});
  check({1, 20, 36, 9, 6, 1, 1, 3, 0});
  check({1, 32, 32, 6, 6, 1, 1, 1, 1});
}

TEST_CASE("products of tiles: windows") {
  check({2, 32, 32, 7, 7, 3, 3, 1, 1});
  check({5, 16, 40, 6, 9, 3, 3, 1, 1});
  check({2, 24, 16, 8, 8, 3, 3, 1, 0});
  check({2, 48, 33, 9, 7, 3, 3, 2, 1});
  check({1, 32, 16, 8, 5, 3, 3, 2, 0});
  check({2, 5, 13, 20, 19, 3, 3, 3, 2});
  check({2, 16, 16, 9, 9, 5, 5, 1, 2});
  check({1, 16, 16, 9, 9, 5, 3, 2, 1});
  check({1, 64, 16, 30, 40, 3, 3, 1, 1});
  check({2, 17, 18, 5, 6, 2, 2, 2, 0});
  check({1, 32, 16, 6, 6, 1, 3, 1, 1});
  check({1, 32, 16, 6, 6, 3, 1, 1, 1});
  check({1, 8, 16, 12, 5, 3, 1, 2, 1});
}

TEST_CASE("products of tiles: few channels") {
  check({2, 3, 16, 21, 19, 7, 7, 2, 3});
  check({1, 1, 32, 12, 12, 3, 3, 1, 1});
  check({2, 3, 20, 30, 27, 11, 11, 4, 2});
  check({1, 2, 16, 8, 9, 3, 3, 2, 1});
  check({1, 12, 16, 8, 9, 3, 5, 1, 2});
}

TEST_CASE("products of tiles: more than a block") {
  check({24, 64, 32, 9, 9, 3, 3, 1, 1});
  check({2, 256, 32, 28, 28, 1, 1, 1, 0});
  check({3, 64, 64, 40, 40, 1, 1, 1, 0});
  check({2, 3, 16, 112, 112, 7, 7, 2, 3});
}

}  // namespace
}  // namespace dl::test
