#include "test/comparison.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "test/device.h"
#include "test/model_tensors.h"

namespace dl::test {

Experiment::Experiment(const EngineCase& test, uint64_t seed)
    : test_(test), seed_(seed), step_(seed % 7), model_(device(), test.layers, test.input, seed) {
  Random random(seed);
  randomize(model_, random);
  const int64_t count = test.batch_size * test.batch_size_multiplier;
  batch_ = random_batch(random, test.input, count, graph().classes(), test.format);
  before_ = reference_state(model_);
}

Outcome Experiment::engine(Precision precision) {
  const TrainOptions options{{test_.batch_size, precision, false}, test_.batch_size_multiplier, 1.0, 0.0, 0.0, step_};
  const auto confidences = [&] {
    const std::vector<float> values = model_.apply(batch_.view(), options.plan);
    return reference::Values(values.begin(), values.end());
  };
  Outcome outcome;
  outcome.confidences_before = confidences();
  const StepResult result = model_.train(batch_.view(), batch_.labels, options);
  CHECK(result.loss_multinomial_logistic == result.loss);
  CHECK(result.loss_regularization == 0);
  outcome.loss = result.loss;
  outcome.gradient_norm = result.gradient_norm;
  outcome.top1_error = result.top1_error;
  outcome.confidences_after = confidences();
  after_ = reference_state(model_);
  outcome.values = after_.values;
  outcome.gradients = after_.momentum;
  for (reference::Values& gradient : outcome.gradients)
    for (double& value : gradient) value = -value;
  return outcome;
}

Outcome Experiment::reference(reference::Storage storage) const {
  Outcome outcome;
  outcome.confidences_before = reference::apply(graph(), before_.values, batch_.images, storage).values;
  reference::TrainingState state = before_;
  const reference::TrainingResult result = reference::train_step(graph(), state, batch_.images, batch_.labels,
                                                                 {.batch_size = test_.batch_size,
                                                                  .batch_size_multiplier = test_.batch_size_multiplier,
                                                                  .learning_rate = 1,
                                                                  .momentum = 0,
                                                                  .seed = seed_,
                                                                  .step = step_,
                                                                  .storage = storage});
  outcome.loss = result.loss;
  outcome.gradient_norm = result.gradient_norm;
  outcome.top1_error = result.top1_error;
  outcome.gradients = result.gradients;
  outcome.values = state.values;
  outcome.confidences_after = reference::apply(graph(), after_.values, batch_.images, storage).values;
  return outcome;
}

double distance(const reference::Values& a, const reference::Values& b) {
  REQUIRE(a.size() == b.size());
  double squares = 0;
  for (size_t i = 0; i < a.size(); ++i) squares += (a[i] - b[i]) * (a[i] - b[i]);
  return std::sqrt(squares);
}

double norm(const reference::Values& a) { return distance(a, reference::Values(a.size(), 0.0)); }

double greatest_difference(const reference::Values& a, const reference::Values& b) {
  REQUIRE(a.size() == b.size());
  double greatest = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    REQUIRE(std::isfinite(a[i]));
    greatest = std::max(greatest, std::abs(a[i] - b[i]));
  }
  return greatest;
}

void check_close(const std::string& what, const reference::Values& actual, const reference::Values& expected,
                 const Bounds& bounds, double floor) {
  const double largest = greatest_difference(expected, reference::Values(expected.size(), 0.0));
  const double off_by = greatest_difference(actual, expected) / (largest + floor);
  CHECK_MESSAGE(off_by <= bounds.largest, what << " is off by " << off_by << " of its largest value " << largest);
  const double off_as_a_whole = distance(actual, expected) / (norm(expected) + floor);
  CHECK_MESSAGE(off_as_a_whole <= bounds.euclidean, what << " is off by " << off_as_a_whole << " of its norm " << norm(expected));
}

void check_against_reference(const EngineCase& test, uint64_t seed, const Bounds& bounds) {
  CAPTURE(test.name);
  CAPTURE(seed);
  Experiment experiment(test, seed);
  const Outcome actual = experiment.engine(Precision::kFloat32);
  const Outcome expected = experiment.reference(reference::Storage::kFloat64);
  CHECK(std::abs(actual.loss - expected.loss) <= bounds.loss * std::max(1.0, expected.loss));
  CHECK(std::abs(actual.gradient_norm - expected.gradient_norm) <= bounds.euclidean * (expected.gradient_norm + 1e-6));
  CHECK(actual.top1_error == doctest::Approx(expected.top1_error));
  CHECK(greatest_difference(actual.confidences_before, expected.confidences_before) <= bounds.confidence);
  // A step with learning rate 1 may leave logits of some hundreds, whose rounding shows.
  CHECK(greatest_difference(actual.confidences_after, expected.confidences_after) <= 100 * bounds.confidence);
  // A gradient that is 0 by its formula (a bias in front of a batch norm) has only the rounding of its terms to show, which are
  // as large as other gradients: hence a share of the whole.
  const double floor = 1e-2 * expected.gradient_norm + 1e-9;
  const std::vector<TensorInfo>& tensors = experiment.graph().tensors();
  for (size_t t = 0; t < tensors.size(); ++t) {
    if (tensors[t].role == TensorRole::kStatistic) {
      check_close(tensors[t].name, actual.values[t], expected.values[t], bounds, 1e-3);
    } else {
      check_close("gradient of " + tensors[t].name, actual.gradients[t], expected.gradients[t], bounds, floor);
    }
  }
}

}  // namespace dl::test
