// Batch norm forward, with residual and activation, against the float64 reference.
#include <cmath>

#include "cuda/kernels/test/batch_norm_case.h"

namespace dl::cuda::test {
namespace {

/// The statistics' errors: float32 sums and a mean that float32 holds with 6e-8 of its size. Of one row the deviation is 0: there
/// the scale is 1 / sqrt(epsilon), and so much larger is what rounding leaves.
double tolerance(const BatchNormCase& test) { return (test.rows() == 1 ? 1e-4 : 3e-6) + 1e-6 * std::abs(test.mean); }

TEST_CASE_TEMPLATE("training normalises by the batch's statistics", T, float, Bfloat16) {
  for (const BatchNormCase& test : batch_norm_cases()) {
    CAPTURE(test.c);
    CAPTURE(test.rows());
    BatchNormRun<T> run(test);
    const auto running_mean = run.running_mean.read(), running_variance = run.running_variance.read();
    run.forward();

    const reference::Tensor x = run.nchw(run.x_values);
    const auto statistics = reference::batch_statistics(x);
    const double bound = tolerance(test);
    reference::Values inverse_deviation;
    for (const double variance : statistics.variance) inverse_deviation.push_back(1 / std::sqrt(variance + run.kEpsilon));
    check_close("mean", to_double(run.mean.read()), statistics.mean, 1e-6, 1e-6);
    check_close("inverse deviation", to_double(run.inverse_deviation.read()), inverse_deviation, bound, 0);

    auto moved_mean = to_double(running_mean), moved_variance = to_double(running_variance);
    reference::move_running_statistics(statistics, test.rows(), run.layer(), moved_mean, moved_variance);
    check_close("running mean", to_double(run.running_mean.read()), moved_mean, 1e-6, 1e-6);
    check_close("running variance", to_double(run.running_variance.read()), moved_variance, bound, 1e-6);

    auto y = reference::batch_norm_forward(x, statistics, to_double(run.weight_values), to_double(run.bias_values), run.layer());
    if (test.residual) y = reference::add_forward(y, run.nchw(run.residual_values));
    if (test.relu) y = reference::relu_forward(y, run.relu());
    check_close("y", to_double(run.y.read()), to_nhwc(y), kRounding<T>, bound);
    CHECK(run.scratch.counters_are_zero());
  }
}

TEST_CASE_TEMPLATE("the mask tells what the stored output shows", T, float, Bfloat16) {
  for (const BatchNormCase& test : batch_norm_cases()) {
    if (!test.residual || !test.relu) continue;
    BatchNormRun<T> run(test);
    run.forward();
    const auto y = to_double(run.y.read());
    const auto mask = run.mask.read();
    const double upper = static_cast<double>(as_stored<T>(static_cast<float>(*test.relu)));
    int wrong = 0, passed = 0;
    for (int64_t row = 0; row < test.rows(); ++row)
      for (int64_t c = 0; c < test.c; ++c) {
        const double value = y[static_cast<size_t>(row * test.c + c)];
        const bool bit = mask[static_cast<size_t>(row * mask_bytes(test.c) + c / 8)] >> (c % 8) & 1;
        wrong += bit == (value > 0 && value < upper) ? 0 : 1;
        passed += bit ? 1 : 0;
      }
    CHECK(wrong == 0);
    CHECK(passed > 0);
    CHECK(passed < test.size());
  }
}

TEST_CASE("a mean of 10,000 deviations cancels nothing") {
  BatchNormCase test{4, 13, 13, 16, {}};
  test.mean = 10000;
  BatchNormRun<float> run(test);
  run.forward();
  const auto statistics = reference::batch_statistics(run.nchw(run.x_values));
  reference::Values inverse_deviation;
  for (const double variance : statistics.variance) inverse_deviation.push_back(1 / std::sqrt(variance + run.kEpsilon));
  check_close("mean", to_double(run.mean.read()), statistics.mean, 2e-7, 0);
  check_close("inverse deviation", to_double(run.inverse_deviation.read()), inverse_deviation, 5e-4, 0);
}

TEST_CASE_TEMPLATE("stored statistics normalise by themselves", T, float, Bfloat16) {
  for (const BatchNormCase& test : batch_norm_cases()) {
    CAPTURE(test.c);
    BatchNormRun<T> run(test);
    check(stored_statistics(on(), {.channels = test.c,
                                   .epsilon = run.kEpsilon,
                                   .weight = run.weight.get(),
                                   .bias = run.bias.get(),
                                   .mean = run.running_mean.get(),
                                   .variance = run.running_variance.get(),
                                   .saved = run.saved()}));
    // In place, as a plan for applying does it.
    check(normalization_forward<T>(on(test.multiprocessors), {.rows = test.rows(),
                                                              .channels = test.c,
                                                              .x = run.x.get(),
                                                              .residual = test.residual ? run.residual.get() : nullptr,
                                                              .y = run.x.get(),
                                                              .scale = run.scale.get(),
                                                              .shift = run.shift.get(),
                                                              .activation = test.activation()}));
    const reference::BatchStatistics statistics{to_double(run.running_mean.read()), to_double(run.running_variance.read())};
    auto y = reference::batch_norm_forward(run.nchw(run.x_values), statistics, to_double(run.weight_values),
                                           to_double(run.bias_values), run.layer());
    if (test.residual) y = reference::add_forward(y, run.nchw(run.residual_values));
    if (test.relu) y = reference::relu_forward(y, run.relu());
    check_close("y", to_double(run.x.read()), to_nhwc(y), kRounding<T>, 1e-6 + 1e-7 * std::abs(test.mean));
  }
}

TEST_CASE("without a scale a bias is added") {
  const std::vector<float> x = random_values<float>(5 * 24, 1), bias = random_values<float>(24, 2);
  Buffer<float> x_buffer(x), y(5 * 24), shift(bias);
  check(normalization_forward<float>(
      on(), {.rows = 5, .channels = 24, .x = x_buffer.get(), .y = y.get(), .shift = shift.get(), .activation = {true, 0.5f}}));
  const auto result = y.read();
  for (size_t i = 0; i < x.size(); ++i) CHECK(result[i] == std::min(std::max(x[i] + bias[i % 24], 0.0f), 0.5f));
}

TEST_CASE("NaN in the input is seen in the output") {
  BatchNormRun<float> run({2, 3, 5, 8, 1.0});
  std::vector<float> values = run.x_values;
  values[8] = std::numeric_limits<float>::quiet_NaN();  // channel 0
  Buffer<float> x(values);
  check(normalization_forward<float>(on(), {.rows = run.test.rows(),
                                            .channels = 8,
                                            .x = x.get(),
                                            .y = run.y.get(),
                                            .scale = run.weight.get(),
                                            .shift = run.bias.get(),
                                            .activation = run.test.activation()}));
  CHECK(std::isnan(run.y.read()[8]));
}

}  // namespace
}  // namespace dl::cuda::test
