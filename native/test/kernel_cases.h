#pragma once

#include <doctest/doctest.h>

#include <cmath>
#include <random>
#include <sstream>
#include <string>
#include <vector>

#include "cpu/kernels/bfloat16.h"
#include "cpu/kernels/tap_product.h"
#include "cpu/onednn.h"
#include "cpu/operations/tap_parts.h"

/// Convolutions to test single kernels of the CPU backend with.
namespace dl::test {

struct Case {
  int64_t images, in_channels, out_channels, height, width, kernel_height, kernel_width, stride, padding;
};

inline std::string describe(const Case& c) {
  std::ostringstream text;
  text << c.images << " images of " << c.height << " x " << c.width << " x " << c.in_channels << ", " << c.out_channels
       << " filters of " << c.kernel_height << " x " << c.kernel_width << ", stride " << c.stride << ", padding " << c.padding;
  return text.str();
}

inline cpu::LinearShape linear_shape(const Case& c, cpu::Order order) {
  const auto outputs = [&](int64_t size, int64_t kernel) { return (size + 2 * c.padding - kernel) / c.stride + 1; };
  cpu::LinearShape shape{};
  shape.in = {c.images, c.in_channels, c.height, c.width, order};
  shape.out = {c.images, c.out_channels, outputs(c.height, c.kernel_height), outputs(c.width, c.kernel_width), order};
  shape.weights = {c.out_channels, c.in_channels, c.kernel_height, c.kernel_width};
  shape.stride = {c.stride, c.stride};
  shape.padding = {c.padding, c.padding};
  return shape;
}

/// Where a value lies in memory.
inline size_t place(const cpu::Layout& layout, int64_t image, int64_t channel, int64_t y, int64_t x) {
  const int64_t block = layout.block(), group = image * layout.blocks() + channel / block;
  return static_cast<size_t>((group * layout.spatial() + y * layout.width + x) * block + channel % block);
}

/// Calls f(place in y, place in x, place in the weights) for every product of the definition.
template <class F>
void for_each_product(const cpu::LinearShape& s, const F& f) {
  const int64_t kernel_height = s.weights[2], kernel_width = s.weights[3];
  for (int64_t n = 0; n < s.out.images; ++n)
    for (int64_t y = 0; y < s.out.height; ++y)
      for (int64_t x = 0; x < s.out.width; ++x)
        for (int64_t i = 0; i < kernel_height; ++i)
          for (int64_t j = 0; j < kernel_width; ++j) {
            const int64_t in_y = y * s.stride[0] + i - s.padding[0], in_x = x * s.stride[1] + j - s.padding[1];
            if (in_y < 0 || in_y >= s.in.height || in_x < 0 || in_x >= s.in.width) continue;
            for (int64_t o = 0; o < s.out.channels; ++o)
              for (int64_t c = 0; c < s.in.channels; ++c)
                f(place(s.out, n, o, y, x), place(s.in, n, c, in_y, in_x),
                  static_cast<size_t>(((o * s.in.channels + c) * kernel_height + i) * kernel_width + j));
          }
}

template <class T>
std::vector<T> normal_values(int64_t count, std::mt19937& random) {
  std::normal_distribution<float> distribution;
  std::vector<T> values(static_cast<size_t>(count));
  for (T& value : values) cpu::store(value, distribution(random));
  return values;
}

/// ||actual - exact|| / ||exact||
template <class T>
double error(const std::vector<T>& actual, const std::vector<double>& exact) {
  double difference = 0, norm = 0;
  for (size_t i = 0; i < exact.size(); ++i) {
    const double d = static_cast<double>(cpu::load(actual[i])) - exact[i];
    difference += d * d, norm += exact[i] * exact[i];
  }
  return std::sqrt(difference / norm);
}

/// Memory in which nothing is a number, so that what is read without having been written shows.
inline std::vector<float> scratch_memory(int64_t values) {
  return std::vector<float>(static_cast<size_t>(values), std::nanf(""));
}

/// ||actual - exact|| / ||exact|| of sums of float32.
constexpr double kExact = 2e-6;

/// Set and added, by some numbers of threads, which give the same bits.
inline void check_weight_gradient(const cpu::TapGradientKernels& kernel, const cpu::TapPart& part,
                                  const std::vector<cpu::Bfloat16>& x, const std::vector<cpu::Bfloat16>& dy,
                                  const std::vector<double>& exact) {
  std::vector<double> twice = exact;
  for (double& value : twice) value *= 2;
  std::vector<float> dw(exact.size()), alone;
  for (const int64_t threads : {1, 2, 5}) {
    CAPTURE(threads);
    const auto compute = [&](bool accumulate) {
      std::vector<float> scratch = scratch_memory(kernel.scratch(part.grid, part.taps, threads));
      kernel.gradient({part.grid, part.taps, threads, x.data(), dy.data(), dw.data(), accumulate, scratch.data()});
    };
    compute(false);
    CHECK(error(dw, exact) < kExact);
    if (alone.empty()) alone = dw;
    CHECK(dw == alone);
    compute(true);
    CHECK(error(dw, twice) < kExact);
  }
}

}  // namespace dl::test
