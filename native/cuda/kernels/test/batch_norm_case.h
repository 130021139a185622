#pragma once

#include <doctest/doctest.h>

#include <limits>
#include <optional>

#include "cuda/kernels/test/buffer.h"
#include "cuda/kernels/test/comparison.h"
#include "reference/layers.h"

namespace dl::cuda::test {

/// One batch norm with what may follow it.
struct BatchNormCase {
  int64_t n, h, w, c;
  std::optional<double> relu;  // upper bound; infinite for a plain ReLU
  bool residual = false;
  double mean = 0;  // of the input
  int multiprocessors = 3;
  size_t shift = 0;  // of the activations in memory

  int64_t rows() const { return n * h * w; }
  int64_t size() const { return rows() * c; }
  Activation activation() const { return relu ? Activation{true, static_cast<float>(*relu)} : Activation{}; }
};

inline std::vector<BatchNormCase> batch_norm_cases() {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  return {
      {2, 3, 5, 8, {}},
      {2, 3, 5, 8, kInfinity},
      {3, 7, 7, 24, kInfinity, true},
      {1, 1, 1, 64, {}},
      {2, 5, 3, 3, 6.0},
      {2, 5, 3, 3, 6.0, true},
      {4, 9, 9, 72, 0.5, false, 0, 5},
      {2, 17, 13, 130, kInfinity, true, 0, 7},
      {5, 14, 14, 64, kInfinity, false, 100, 132},
      {5, 14, 14, 64, kInfinity, true, -3, 132, 8},
      {3, 11, 12, 16, 1.0, true, 0, 132, 1},
      {2, 4, 4, 520, {}, true, 1, 1},
      {16, 28, 28, 16, kInfinity, false, 2, 1},
  };
}

/// The batch norm's tensors and what the forward pass made of them.
template <class T>
struct BatchNormRun {
  static constexpr double kEpsilon = 1e-5, kMomentum = 0.1;

  BatchNormCase test;
  std::vector<T> x_values, residual_values;
  std::vector<float> weight_values, bias_values;
  Buffer<T> x, residual, y;
  Buffer<float> weight, bias, running_mean, running_variance, mean, inverse_deviation, scale, shift;
  Buffer<uint8_t> mask;
  Scratch scratch;

  explicit BatchNormRun(const BatchNormCase& test)
      : test(test),
        x_values(random_values<T>(test.size(), 1, test.mean - 1, test.mean + 1)),
        residual_values(random_values<T>(test.size(), 2)),
        weight_values(random_values<float>(test.c, 3, 0.5, 1.5)),
        bias_values(random_values<float>(test.c, 4)),
        x(x_values, test.shift),
        residual(residual_values, test.shift),
        y(test.size(), test.shift),
        weight(weight_values),
        bias(bias_values),
        running_mean(random_values<float>(test.c, 5)),
        running_variance(random_values<float>(test.c, 6, 0.5, 2)),
        mean(test.c),
        inverse_deviation(test.c),
        scale(test.c),
        shift(test.c),
        mask(test.rows() * mask_bytes(test.c)),
        scratch(reduction_size(test.rows(), test.c, test.multiprocessors)) {}

  NormalizationSaved saved() { return {mean.get(), inverse_deviation.get(), scale.get(), shift.get()}; }

  void forward() {
    check(batch_statistics<T>(on(test.multiprocessors), {.rows = test.rows(),
                                                         .channels = test.c,
                                                         .epsilon = kEpsilon,
                                                         .momentum = kMomentum,
                                                         .x = x.get(),
                                                         .weight = weight.get(),
                                                         .bias = bias.get(),
                                                         .running_mean = running_mean.get(),
                                                         .running_variance = running_variance.get(),
                                                         .saved = saved(),
                                                         .scratch = scratch.get()}));
    check(normalization_forward<T>(on(test.multiprocessors), {.rows = test.rows(),
                                                              .channels = test.c,
                                                              .x = x.get(),
                                                              .residual = test.residual ? residual.get() : nullptr,
                                                              .y = y.get(),
                                                              .scale = scale.get(),
                                                              .shift = shift.get(),
                                                              .activation = test.activation(),
                                                              .mask = test.residual ? mask.get() : nullptr}));
  }

  reference::Tensor nchw(const std::vector<T>& values) const {
    return to_nchw(to_double(values), test.n, test.h, test.w, test.c);
  }
  BatchNorm layer() const { return {.epsilon = kEpsilon, .momentum = kMomentum}; }
  Relu relu() const {
    return {.max = test.relu && *test.relu < std::numeric_limits<double>::infinity() ? test.relu : std::nullopt};
  }
};

}  // namespace dl::cuda::test
