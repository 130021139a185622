// Norms, verdict and both solvers over all parameters, against the formulas in float64.
#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "cuda/kernels/test/buffer.h"
#include "cuda/kernels/test/comparison.h"

namespace dl::cuda::test {
namespace {

/// Three tensors: a weight of several segments, a bias, a frozen weight.
struct Parameters {
  static constexpr int64_t kSize = 3 * kSegmentValues + 64;

  std::vector<ParameterSegment> segment_values{
      {.offset = 0, .length = kSegmentValues, .tensor = 0, .regularized = 1},
      {.offset = kSegmentValues, .length = 4099, .tensor = 0, .regularized = 1},
      {.offset = 2 * kSegmentValues, .length = 13, .tensor = 1},
      {.offset = 2 * kSegmentValues + 16, .length = 1000, .tensor = 2, .regularized = 1, .frozen = 1},
  };
  std::vector<float> g_values = random_values<float>(kSize, 1), w_values = random_values<float>(kSize, 2),
                     m_values = random_values<float>(kSize, 3), v_values = random_values<float>(kSize, 4, 0, 1);
  Buffer<ParameterSegment> segments{segment_values};
  Buffer<float> g{g_values}, w{w_values}, m{m_values}, v{v_values};
  Buffer<Bfloat16> copies{std::vector<Bfloat16>(kSize)};
  StepInputs input_values;
  StepReport report_values;
  Scratch scratch{norms_reduction_size(4)};

  Parameters() {
    input_values.rule = {.images = 4, .learning_rate = 0.1, .weight_prior = 0.01, .weight_decay = 0.05};
    input_values.momentum = 0.9;
    input_values.adam_beta1 = 0.9;
    input_values.adam_beta2 = 0.999;
    input_values.adam_epsilon = 1e-8;
    report_values.sums.loss = 8;
    report_values.sums.errors = 2;
  }

  StepReport judged() {
    Buffer<StepInputs> inputs({input_values});
    Buffer<StepReport> report({report_values});
    check(update_norms(on(), {4, segments.get(), g.get(), w.get(), inputs.get(), report.get(), scratch.get()}));
    CHECK(scratch.counters_are_zero());
    return report.value();
  }

  /// Which segment holds the value, or null in a gap.
  const ParameterSegment* segment_of(int64_t i) const {
    for (const ParameterSegment& segment : segment_values)
      if (i >= segment.offset && i < segment.offset + segment.length) return &segment;
    return nullptr;
  }
};

TEST_CASE("norms and verdict") {
  Parameters parameters;
  double gradient = 0, weight = 0;
  for (int64_t i = 0; i < Parameters::kSize; ++i) {
    const ParameterSegment* segment = parameters.segment_of(i);
    if (segment == nullptr) continue;
    const double w = static_cast<double>(parameters.w_values[static_cast<size_t>(i)]);
    const double g = static_cast<double>(parameters.g_values[static_cast<size_t>(i)]);
    if (segment->regularized) weight += w * w;
    if (!segment->frozen) gradient += std::pow(g + (segment->regularized ? 0.01 * w : 0), 2);
  }
  StepReport report = parameters.judged();
  CHECK(report.sums.loss == 8);
  CHECK(report.sums.errors == 2);
  CHECK(report.sums.squared_gradient_norm == doctest::Approx(gradient).epsilon(1e-6));
  CHECK(report.sums.squared_weight_norm == doctest::Approx(weight).epsilon(1e-6));
  CHECK(report.verdict.loss == doctest::Approx(2 + 0.005 * weight).epsilon(1e-6));
  CHECK(report.verdict.gradient_norm == doctest::Approx(std::sqrt(gradient)).epsilon(1e-6));
  CHECK(report.verdict.gradient_scale == 1);
  CHECK(report.verdict.sound);

  parameters.input_values.rule.max_gradient_norm = 1;
  CHECK(parameters.judged().verdict.gradient_scale == doctest::Approx(1 / std::sqrt(gradient)).epsilon(1e-6));
  parameters.report_values.sums.loss = std::numeric_limits<double>::quiet_NaN();
  CHECK(!parameters.judged().verdict.sound);
}

TEST_CASE("running statistics that are infinite make the step unsound, wherever they lie") {
  constexpr int kStatistics = 5000;
  for (const int at : std::vector<int>{-1, 0, 1234, kStatistics - 1}) {
    Parameters parameters;
    std::vector<float> values(kStatistics, 3e38f);
    if (at >= 0) values[static_cast<size_t>(at)] = std::numeric_limits<float>::infinity();
    Buffer<float> statistics(values);
    Buffer<StepInputs> inputs({parameters.input_values});
    Buffer<StepReport> report({parameters.report_values});
    check(update_norms(on(), {4, parameters.segments.get(), parameters.g.get(), parameters.w.get(), inputs.get(), report.get(),
                              parameters.scratch.get(), statistics.get(), kStatistics}));
    CHECK(report.value().verdict.sound == (at < 0));
  }
}

TEST_CASE("one gradient that is no number makes the step unsound, wherever it lies") {
  for (const int at : std::vector<int>{0, kSegmentValues + 4098, 2 * kSegmentValues + 12}) {
    Parameters parameters;
    auto values = parameters.g_values;
    values[static_cast<size_t>(at)] = std::numeric_limits<float>::quiet_NaN();
    Buffer<float> g(values);
    Buffer<StepInputs> inputs({parameters.input_values});
    Buffer<StepReport> report({parameters.report_values});
    check(update_norms(
        on(), {4, parameters.segments.get(), g.get(), parameters.w.get(), inputs.get(), report.get(), parameters.scratch.get()}));
    CHECK(!report.value().verdict.sound);
  }
}

TEST_CASE("a network without parameters is judged, too") {
  Parameters parameters;
  Buffer<StepInputs> inputs({parameters.input_values});
  Buffer<StepReport> report({parameters.report_values});
  Scratch scratch(norms_reduction_size(0));
  check(update_norms(on(), {0, nullptr, nullptr, nullptr, inputs.get(), report.get(), scratch.get()}));
  CHECK(report.value().verdict.sound);
  CHECK(report.value().verdict.loss == 2);
  CHECK(report.value().verdict.gradient_norm == 0);
}

TEST_CASE("SGD") {
  Parameters parameters;
  StepReport report_values;
  report_values.verdict = {.gradient_scale = 0.5, .sound = true};
  Buffer<StepInputs> inputs({parameters.input_values});
  Buffer<StepReport> report({report_values});
  check(sgd_update(on(), {4, parameters.segments.get(), inputs.get(), report.get(), parameters.g.get(), parameters.w.get(),
                          parameters.m.get(), parameters.copies.get()}));
  reference::Values w = to_double(parameters.w_values), v = to_double(parameters.m_values);
  for (int64_t i = 0; i < Parameters::kSize; ++i) {
    const ParameterSegment* segment = parameters.segment_of(i);
    if (segment == nullptr || segment->frozen) continue;
    const auto k = static_cast<size_t>(i);
    const double prior = segment->regularized ? 0.01 : 0, keep = segment->regularized ? 1 - 0.1 * 0.05 : 1;
    v[k] = 0.9 * v[k] - 0.05 * (static_cast<double>(parameters.g_values[k]) + prior * w[k]);
    w[k] = keep * w[k] + v[k];
  }
  const auto updated = parameters.w.read();
  check_close("w", to_double(updated), w, 1e-6, 1e-7);
  check_close("v", to_double(parameters.m.read()), v, 1e-6, 1e-7);
  const auto copies = parameters.copies.read();
  int wrong = 0;
  for (int64_t i = 0; i < Parameters::kSize; ++i) {
    const ParameterSegment* segment = parameters.segment_of(i);
    const bool written = segment != nullptr && !segment->frozen;
    const auto k = static_cast<size_t>(i);
    wrong += load(copies[k]) == (written ? as_stored<Bfloat16>(updated[k]) : 0.0f) ? 0 : 1;
  }
  CHECK(wrong == 0);
}

TEST_CASE("Adam") {
  Parameters parameters;
  StepReport report_values;
  report_values.verdict = {.gradient_scale = 0.5, .sound = true};
  Buffer<StepInputs> inputs({parameters.input_values});
  Buffer<StepReport> report({report_values});
  Buffer<float> step(std::vector<float>{0.3f, 0.2f, 0.1f}), root(std::vector<float>{1.5f, 2.5f, 3.5f});
  check(adam_update(on(), {4, parameters.segments.get(), inputs.get(), report.get(), parameters.g.get(), parameters.w.get(),
                           parameters.m.get(), parameters.v.get(), step.get(), root.get(), parameters.copies.get()}));
  reference::Values w = to_double(parameters.w_values), m = to_double(parameters.m_values), v = to_double(parameters.v_values);
  for (int64_t i = 0; i < Parameters::kSize; ++i) {
    const ParameterSegment* segment = parameters.segment_of(i);
    if (segment == nullptr || segment->frozen) continue;
    const auto k = static_cast<size_t>(i);
    const double prior = segment->regularized ? 0.01 : 0, keep = segment->regularized ? 1 - 0.1 * 0.05 : 1;
    const double g = 0.5 * (static_cast<double>(parameters.g_values[k]) + prior * w[k]);
    m[k] += 0.1 * (g - m[k]);
    v[k] += 0.001 * (g * g - v[k]);
    w[k] =
        keep * w[k] - (segment->tensor == 0 ? 0.3 : 0.2) * m[k] / (std::sqrt(v[k]) * (segment->tensor == 0 ? 1.5 : 2.5) + 1e-8);
  }
  check_close("w", to_double(parameters.w.read()), w, 2e-6, 1e-6);
  check_close("m", to_double(parameters.m.read()), m, 1e-6, 1e-7);
  check_close("v", to_double(parameters.v.read()), v, 1e-6, 1e-7);
}

TEST_CASE("a step that is not sound changes nothing") {
  Parameters parameters;
  Buffer<StepInputs> inputs({parameters.input_values});
  Buffer<StepReport> report({StepReport{}});
  Buffer<float> step(3), root(3), statistics(parameters.g_values);
  check(sgd_update(on(), {4, parameters.segments.get(), inputs.get(), report.get(), parameters.g.get(), parameters.w.get(),
                          parameters.m.get(), parameters.copies.get()}));
  check(adam_update(on(), {4, parameters.segments.get(), inputs.get(), report.get(), parameters.g.get(), parameters.w.get(),
                           parameters.m.get(), parameters.v.get(), step.get(), root.get(), parameters.copies.get()}));
  check(commit_statistics(on(), Parameters::kSize, parameters.w.get(), statistics.get(), report.get()));
  CHECK(parameters.w.read() == parameters.w_values);
  CHECK(parameters.m.read() == parameters.m_values);
  CHECK(parameters.v.read() == parameters.v_values);
  CHECK(statistics.read() == parameters.g_values);
  StepReport sound;
  sound.verdict.sound = true;
  Buffer<StepReport> applied({sound});
  check(commit_statistics(on(), Parameters::kSize, parameters.w.get(), statistics.get(), applied.get()));
  CHECK(statistics.read() == parameters.w_values);
}

}  // namespace
}  // namespace dl::cuda::test
