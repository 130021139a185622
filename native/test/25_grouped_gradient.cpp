// Weight gradients in bfloat16 of activations in groups of 16 channels against the definition in float64.
#include <doctest/doctest.h>

#include <random>
#include <string>
#include <vector>

#include "cpu/kernels/kernels.h"
#include "cpu/operations/tap_parts.h"
#include "test/kernel_cases.h"

namespace dl::test {
namespace {

using namespace dl::cpu;

/// Normal values, zeros in the channels that only fill the last group.
std::vector<Bfloat16> activation(const Layout& layout, std::mt19937& random) {
  std::vector<Bfloat16> values(static_cast<size_t>(layout.size()));
  std::normal_distribution<float> distribution;
  for (int64_t n = 0; n < layout.images; ++n)
    for (int64_t c = 0; c < layout.channels; ++c)
      for (int64_t p = 0; p < layout.spatial(); ++p)
        cpu::store(values[place(layout, n, c, p / layout.width, p % layout.width)], distribution(random));
  return values;
}

void check(const Case& c) {
  const TapGradientKernels* kernel = kernels().grouped_tap_gradient;
  if (!kernel) {
    MESSAGE("this processor has no such kernel");
    return;
  }
  const std::string name = describe(c);
  CAPTURE(name);
  std::mt19937 random(13);
  const LinearShape shape = linear_shape(c, Order::kBlocked16);
  const std::vector<Bfloat16> x = activation(shape.in, random), dy = activation(shape.out, random);
  std::vector<double> exact(static_cast<size_t>(c.in_channels * c.out_channels * c.kernel_height * c.kernel_width));
  for_each_product(shape, [&](size_t to, size_t from, size_t w) {
    exact[w] += static_cast<double>(cpu::load(x[from])) * static_cast<double>(cpu::load(dy[to]));
  });
  check_weight_gradient(*kernel, forward_tap_part(shape), x, dy, exact);
}

TEST_CASE("weight gradients of groups of channels") {
  check({2, 32, 48, 5, 7, 1, 1, 1, 0});
  check({3, 16, 16, 1, 1, 1, 1, 1, 0});
  check({2, 20, 36, 9, 6, 1, 1, 2, 0});
  check({2, 48, 33, 9, 7, 3, 3, 2, 1});
  check({2, 32, 32, 7, 7, 3, 3, 1, 1});
  check({1, 5, 3, 10, 12, 3, 3, 3, 2});
  check({1, 16, 16, 9, 9, 5, 3, 2, 1});
  check({2, 17, 18, 5, 6, 2, 2, 2, 0});
}

TEST_CASE("weight gradients of groups of channels: more than a chunk") {
  check({2, 32, 64, 40, 41, 1, 1, 1, 0});
  check({40, 16, 48, 5, 5, 3, 3, 1, 1});
  check({3, 16, 32, 60, 31, 3, 3, 2, 1});
  check({3, 480, 496, 14, 14, 1, 1, 1, 0});
}

TEST_CASE("weight gradients of groups of channels: a panel has all rows") {
  check({2, 144, 240, 5, 5, 3, 3, 1, 1});
  check({11, 576, 464, 7, 7, 1, 1, 1, 0});
}

}  // namespace
}  // namespace dl::test
