// Confidences, loss, errors and gradient against the float64 reference.
#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "cuda/kernels/test/buffer.h"
#include "cuda/kernels/test/comparison.h"
#include "reference/layers.h"

namespace dl::cuda::test {
namespace {

TEST_CASE_TEMPLATE("softmax and its loss", T, float, Bfloat16) {
  struct Case {
    int64_t images, classes;
    double range;
    bool weighted;
  };
  for (const Case& test :
       {Case{1, 1, 1, false}, Case{5, 3, 4, true}, Case{70, 10, 30, true}, Case{3, 1000, 8, false}, Case{130, 65, 90, true}}) {
    CAPTURE(test.images);
    CAPTURE(test.classes);
    const int64_t size = test.images * test.classes;
    const auto logit_values = random_values<float>(size, 1, -test.range, test.range);
    std::vector<int32_t> label_values;
    for (int64_t n = 0; n < test.images; ++n) label_values.push_back(static_cast<int32_t>(n * 7 % test.classes));
    reference::Values weight_values = to_double(random_values<float>(test.classes, 2, 0, 3));
    Buffer<float> logits(logit_values), confidences(size);
    Buffer<int32_t> labels(label_values);
    Buffer<double> weights(weight_values);
    Buffer<T> gradient(size);
    StepInputs inputs;
    inputs.rule.images = 2 * test.images;
    Buffer<StepInputs> first({inputs});
    inputs.accumulate = 1;
    Buffer<StepInputs> second({inputs});
    StepReport before;
    before.sums = {.loss = 17, .errors = 3};
    Buffer<StepReport> report({before});
    Scratch scratch(loss_reduction_size(test.images));
    SoftmaxLoss<T> job{.images = test.images,
                       .classes = test.classes,
                       .logits = logits.get(),
                       .labels = labels.get(),
                       .class_weights = test.weighted ? weights.get() : nullptr,
                       .inputs = first.get(),
                       .gradient = gradient.get(),
                       .report = report.get(),
                       .scratch = scratch.get()};

    const reference::Tensor z = to_nchw(to_double(logit_values), test.images, 1, 1, test.classes);
    const auto given_weights = test.weighted ? std::span<const double>(weight_values) : std::span<const double>();
    const double loss = reference::negative_log_likelihood(z, label_values, given_weights);
    int64_t errors = 0;
    for (int64_t n = 0; n < test.images; ++n) {
      bool best = true;
      for (int64_t k = 0; k < test.classes; ++k)
        best = best && z.at(n, k, 0, 0) <= z.at(n, label_values[static_cast<size_t>(n)], 0, 0);
      errors += best ? 0 : 1;
    }

    check(softmax(on(), test.images, test.classes, logits.get(), confidences.get()));
    check_close("confidences", to_double(confidences.read()), to_nhwc(reference::softmax_forward(z)), 1e-7, 1e-12);
    check(softmax_loss<T>(on(), job));
    CHECK(report.value().sums.loss == doctest::Approx(loss).epsilon(1e-12));
    CHECK(report.value().sums.errors == errors);
    check_close("gradient", to_double(gradient.read()),
                to_nhwc(reference::softmax_backward(z, label_values, 2 * test.images, given_weights)), kRounding<T> + 1e-7,
                1e-12);
    job.inputs = second.get();
    check(softmax_loss<T>(on(), job));
    CHECK(report.value().sums.loss == doctest::Approx(2 * loss).epsilon(1e-12));
    CHECK(report.value().sums.errors == 2 * errors);
    CHECK(scratch.counters_are_zero());
  }
}

TEST_CASE("a logit that is no number makes a loss that is none") {
  for (const float fault : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    Buffer<float> logits(std::vector<float>{0, 1, fault, 2}), gradient(4);
    Buffer<int32_t> labels(std::vector<int32_t>{0, 1});
    StepInputs inputs;
    inputs.rule.images = 2;
    Buffer<StepInputs> first({inputs});
    Buffer<StepReport> report({StepReport{}});
    Scratch scratch(loss_reduction_size(2));
    check(softmax_loss<float>(on(), {.images = 2,
                                     .classes = 2,
                                     .logits = logits.get(),
                                     .labels = labels.get(),
                                     .inputs = first.get(),
                                     .gradient = gradient.get(),
                                     .report = report.get(),
                                     .scratch = scratch.get()}));
    CHECK(std::isnan(report.value().sums.loss));
  }
}

}  // namespace
}  // namespace dl::cuda::test
