// Batch norm backward, with residual, activation and a second contribution to the gradient, against the float64 reference.
#include <cmath>

#include "cuda/kernels/test/batch_norm_case.h"

namespace dl::cuda::test {
namespace {

/// What the activation let pass, by the forward pass's own float32 output: at the kinks no other arithmetic would agree.
template <class T>
std::vector<bool> passed(BatchNormRun<T>& run) {
  const BatchNormCase& test = run.test;
  std::vector<bool> result(static_cast<size_t>(test.size()), true);
  if (!test.relu) return result;
  const auto y = run.y.read();
  const auto scale = run.scale.read(), shift = run.shift.read();
  const auto upper = static_cast<float>(*test.relu);
  for (size_t i = 0; i < result.size(); ++i) {
    const size_t c = i % static_cast<size_t>(test.c);
    const float v = test.residual ? load(y[i]) : std::fma(load(run.x_values[i]), scale[c], shift[c]);
    result[i] = v > 0 && v < (test.residual ? as_stored<T>(upper) : upper);
  }
  return result;
}

template <class T>
struct GradientRun {
  BatchNormRun<T> run;
  std::vector<T> dy_values, dy2_values;
  Buffer<T> dy, dy2, dz, dx;
  Buffer<float> weight_gradient, bias_gradient, slope, offset;
  bool two;

  GradientRun(const BatchNormCase& test, bool two)
      : run(test),
        dy_values(random_values<T>(test.size(), 11)),
        dy2_values(random_values<T>(test.size(), 12)),
        dy(dy_values, test.shift),
        dy2(dy2_values, test.shift),
        dz(test.size(), test.shift),
        dx(test.size(), test.shift),
        weight_gradient(test.c),
        bias_gradient(test.c),
        slope(test.c),
        offset(test.c),
        two(two) {}

  reference::Tensor reference_dz() {
    const auto pass = passed(run);
    reference::Values values = to_double(dy_values);
    for (size_t i = 0; i < values.size(); ++i) {
      if (two) values[i] += static_cast<double>(load(dy2_values[i]));
      if (!pass[i]) values[i] = 0;
    }
    return to_nchw(values, run.test.n, run.test.h, run.test.w, run.test.c);
  }
  const uint8_t* mask() { return run.test.residual && run.test.relu ? run.mask.get() : nullptr; }
};

TEST_CASE_TEMPLATE("gradients of a training batch norm", T, float, Bfloat16) {
  for (const BatchNormCase& test : batch_norm_cases())
    for (const bool two : {false, true}) {
      CAPTURE(test.c);
      CAPTURE(test.rows());
      CAPTURE(two);
      GradientRun<T> gradient(test, two);
      BatchNormRun<T>& run = gradient.run;
      run.forward();
      const Launch launch = on(test.multiprocessors);
      check(normalization_reduce<T>(launch, {.rows = test.rows(),
                                             .channels = test.c,
                                             .dy = gradient.dy.get(),
                                             .dy2 = two ? gradient.dy2.get() : nullptr,
                                             .x = run.x.get(),
                                             .mask = gradient.mask(),
                                             .dz = test.residual ? gradient.dz.get() : nullptr,
                                             .saved = run.saved(),
                                             .activation = test.activation(),
                                             .weight_gradient = gradient.weight_gradient.get(),
                                             .bias_gradient = gradient.bias_gradient.get(),
                                             .slope = gradient.slope.get(),
                                             .offset = gradient.offset.get(),
                                             .scratch = run.scratch.get()}));
      CHECK(run.scratch.counters_are_zero());
      NormalizationBackward<T> second{.rows = test.rows(),
                                      .channels = test.c,
                                      .dy = gradient.dy.get(),
                                      .dy2 = two ? gradient.dy2.get() : nullptr,
                                      .x = run.x.get(),
                                      .mask = gradient.mask(),
                                      .dx = gradient.dx.get(),
                                      .scale = run.scale.get(),
                                      .shift = run.shift.get(),
                                      .slope = gradient.slope.get(),
                                      .offset = gradient.offset.get(),
                                      .activation = test.activation()};
      const reference::Tensor dz = gradient.reference_dz();
      if (test.residual) {
        // dz is stored already; dx takes its place.
        check_close("dz", to_double(gradient.dz.read()), to_nhwc(dz), kRounding<T>, 1e-7);
        second.dy = gradient.dz.get();
        second.dy2 = nullptr;
        second.mask = nullptr;
        second.activation = {};
      }
      check(normalization_backward<T>(launch, second));

      const double bound = 2e-5 + 4e-6 * std::abs(test.mean);
      const auto expected = reference::batch_norm_backward(run.nchw(run.x_values), to_double(run.weight_values), dz, run.layer());
      check_close("weight", to_double(gradient.weight_gradient.read()), expected.weight, bound, bound);
      check_close("bias", to_double(gradient.bias_gradient.read()), expected.bias, bound, bound);
      // In bfloat16 dz was rounded once where it was stored.
      // Its terms are about as large as the scale, whatever is left of them.
      double scale = 0;
      for (const float value : run.scale.read()) scale = std::max(scale, static_cast<double>(value));
      check_close("dx", to_double(gradient.dx.read()), to_nhwc(expected.input), kRounding<T>, bound + 2 * kRounding<T>, scale);
    }
}

TEST_CASE_TEMPLATE("gradients with stored statistics", T, float, Bfloat16) {
  for (const BatchNormCase& test : batch_norm_cases())
    for (const bool two : {false, true}) {
      CAPTURE(test.c);
      GradientRun<T> gradient(test, two);
      BatchNormRun<T>& run = gradient.run;
      run.forward();
      check(normalization_backward<T>(on(test.multiprocessors), {.rows = test.rows(),
                                                                 .channels = test.c,
                                                                 .dy = gradient.dy.get(),
                                                                 .dy2 = two ? gradient.dy2.get() : nullptr,
                                                                 .x = test.relu && !test.residual ? run.x.get() : nullptr,
                                                                 .mask = gradient.mask(),
                                                                 .dx = gradient.dx.get(),
                                                                 .dz = test.residual ? gradient.dz.get() : nullptr,
                                                                 .scale = run.scale.get(),
                                                                 .shift = run.shift.get(),
                                                                 .activation = test.activation()}));
      const reference::Values dz = to_nhwc(gradient.reference_dz());
      const auto scale = to_double(run.scale.read());
      reference::Values dx = dz;
      for (size_t i = 0; i < dx.size(); ++i) dx[i] *= scale[i % scale.size()];
      check_close("dx", to_double(gradient.dx.read()), dx, kRounding<T> + 1e-6, 1e-7);
      if (test.residual) check_close("dz", to_double(gradient.dz.read()), dz, kRounding<T>, 1e-7);
    }
}

TEST_CASE_TEMPLATE("both halves may work in place", T, float, Bfloat16) {
  BatchNormCase test{3, 7, 7, 24, 6.0, true};
  GradientRun<T> apart(test, true), in_place(test, true);
  for (GradientRun<T>* gradient : {&apart, &in_place}) {
    const bool same = gradient == &in_place;
    BatchNormRun<T>& run = gradient->run;
    run.forward();
    T* dz = same ? gradient->dy.get() : gradient->dz.get();
    check(normalization_reduce<T>(on(), {.rows = test.rows(),
                                         .channels = test.c,
                                         .dy = gradient->dy.get(),
                                         .dy2 = gradient->dy2.get(),
                                         .x = run.x.get(),
                                         .mask = run.mask.get(),
                                         .dz = dz,
                                         .saved = run.saved(),
                                         .activation = test.activation(),
                                         .weight_gradient = gradient->weight_gradient.get(),
                                         .bias_gradient = gradient->bias_gradient.get(),
                                         .slope = gradient->slope.get(),
                                         .offset = gradient->offset.get(),
                                         .scratch = run.scratch.get()}));
    check(normalization_backward<T>(on(), {.rows = test.rows(),
                                           .channels = test.c,
                                           .dy = dz,
                                           .x = run.x.get(),
                                           .dx = same ? run.x.get() : gradient->dx.get(),
                                           .scale = run.scale.get(),
                                           .slope = gradient->slope.get(),
                                           .offset = gradient->offset.get()}));
  }
  CHECK(to_double(in_place.dy.read()) == to_double(apart.dz.read()));
  CHECK(to_double(in_place.run.x.read()) == to_double(apart.dx.read()));
}

TEST_CASE_TEMPLATE("a bias's gradient is the sum over the rows", T, float, Bfloat16) {
  for (const BatchNormCase& test : batch_norm_cases()) {
    CAPTURE(test.c);
    const auto values = random_values<T>(test.size(), 7);
    Buffer<T> dy(values, test.shift);
    Buffer<float> db(test.c);
    Scratch scratch(reduction_size(test.rows(), test.c, test.multiprocessors));
    check(bias_gradient<T>(on(test.multiprocessors), test.rows(), test.c, dy.get(), db.get(), scratch.get()));
    reference::Values expected(static_cast<size_t>(test.c), 0.0);
    for (size_t i = 0; i < values.size(); ++i) expected[i % expected.size()] += static_cast<double>(load(values[i]));
    check_close("db", to_double(db.read()), expected, 1e-5, 1e-5);
    CHECK(scratch.counters_are_zero());
  }
}

}  // namespace
}  // namespace dl::cuda::test
