#include "test/comparison.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "reference/network.h"

namespace dl::test {
namespace {

reference::Values doubles(const std::vector<float>& values) { return {values.begin(), values.end()}; }

/// Confidences (N, classes) of the engine, as many images as the batch has, batch_size at a time.
reference::Values engine_confidences(Model& model, const Batch& batch, const PlanOptions& plan) {
  return doubles(model.apply(batch.view(), plan));
}

void check_confidences(const std::string& when, Model& model, const Batch& batch, const PlanOptions& plan, const Bounds& bounds) {
  const reference::Values expected = reference::apply(model.graph(), reference_state(model).values, batch.images).values;
  const reference::Values actual = engine_confidences(model, batch, plan);
  REQUIRE(actual.size() == expected.size());
  double worst = 0;
  for (size_t i = 0; i < actual.size(); ++i) worst = std::max(worst, std::abs(actual[i] - expected[i]));
  CHECK_MESSAGE(worst <= bounds.confidence, when << ": confidences are off by " << worst);
}

}  // namespace

void randomize(Model& model, Random& random) {
  std::vector<NamedTensor> tensors;
  for (const TensorInfo& info : model.graph().tensors()) {
    NamedTensor tensor{info.name, info.role, info.shape, {}};
    const double weight_range = std::sqrt(6.0 * static_cast<double>(info.shape[0]) / static_cast<double>(info.size()));
    const bool positive = info.name.ends_with(".running_var") || info.name.ends_with(".weight");
    for (int64_t i = 0; i < info.size(); ++i) {
      const double value = info.role == TensorRole::kWeight ? random.uniform(-weight_range, weight_range)
                           : positive                       ? random.uniform(0.5, 1.5)
                                                            : random.uniform(-0.5, 0.5);
      tensor.values.push_back(static_cast<float>(value));
    }
    tensors.push_back(std::move(tensor));
  }
  model.restore(tensors);
}

const NamedTensor& find(const std::vector<NamedTensor>& tensors, const std::string& name, TensorRole role) {
  const auto found = std::find_if(tensors.begin(), tensors.end(),
                                  [&](const NamedTensor& tensor) { return tensor.name == name && tensor.role == role; });
  REQUIRE_MESSAGE(found != tensors.end(), "the snapshot lacks " << name);
  return *found;
}

reference::TrainingState reference_state(const Model& model) {
  const std::vector<NamedTensor> snapshot = model.snapshot();
  reference::TrainingState state;
  for (const TensorInfo& info : model.graph().tensors()) {
    state.values.push_back(doubles(find(snapshot, info.name, info.role).values));
    const bool trained = info.role != TensorRole::kStatistic;
    state.momentum.push_back(trained ? doubles(find(snapshot, info.name, TensorRole::kMomentum).values)
                                     : reference::Values(info.size(), 0.0));
  }
  return state;
}

void check_close(const std::string& what, const reference::Values& actual, const reference::Values& expected,
                 const Bounds& bounds, double floor) {
  REQUIRE_MESSAGE(actual.size() == expected.size(), what);
  double largest = 0;
  double squares = 0;
  double largest_difference = 0;
  double squared_differences = 0;
  for (size_t i = 0; i < actual.size(); ++i) {
    REQUIRE_MESSAGE(std::isfinite(actual[i]), what << "[" << i << "] is " << actual[i]);
    largest = std::max(largest, std::abs(expected[i]));
    squares += expected[i] * expected[i];
    largest_difference = std::max(largest_difference, std::abs(actual[i] - expected[i]));
    squared_differences += std::pow(actual[i] - expected[i], 2);
  }
  CHECK_MESSAGE(largest_difference <= bounds.largest * (largest + floor),
                what << ": off by " << largest_difference / (largest + floor) << " of its largest value " << largest);
  CHECK_MESSAGE(std::sqrt(squared_differences) <= bounds.euclidean * (std::sqrt(squares) + floor),
                what << ": off by " << std::sqrt(squared_differences) / (std::sqrt(squares) + floor) << " of its norm "
                     << std::sqrt(squares));
}

void check_against_reference(const EngineCase& test, uint64_t seed, Precision precision, const Bounds& bounds) {
  CAPTURE(test.name);
  CAPTURE(seed);
  Random random(seed);
  Model model(test.layers, test.input, seed);
  randomize(model, random);
  const Graph& graph = model.graph();
  const int64_t count = test.batch_size * test.batch_size_multiplier;
  const Batch batch = random_batch(random, test.input, count, graph.classes(), test.format);
  TrainOptions options{{test.batch_size, precision, false}, test.batch_size_multiplier, 1.0, 0.0, 0.0, seed % 7};
  check_confidences("before the step", model, batch, options.plan, bounds);

  reference::TrainingState state = reference_state(model);
  const reference::TrainingResult expected = reference::train_step(graph, state, batch.images, batch.labels,
                                                                   {.batch_size = test.batch_size,
                                                                    .batch_size_multiplier = test.batch_size_multiplier,
                                                                    .learning_rate = 1,
                                                                    .momentum = 0,
                                                                    .seed = seed,
                                                                    .step = options.step});
  const StepResult result = model.train(batch.view(), batch.labels, options);
  const reference::TrainingState after = reference_state(model);

  CHECK(std::abs(result.loss - expected.loss) <= bounds.loss * std::max(1.0, expected.loss));
  CHECK(result.loss_multinomial_logistic == result.loss);
  CHECK(result.loss_regularization == 0);
  CHECK(std::abs(result.gradient_norm - expected.gradient_norm) <= bounds.euclidean * (expected.gradient_norm + 1e-6));
  if (precision == Precision::kFloat32) CHECK(result.top1_error == doctest::Approx(expected.top1_error));
  // A gradient that is 0 by its formula (a bias in front of a batch norm) has only the rounding of its terms to show, which are
  // as large as other gradients: hence a share of the whole.
  const double floor = 1e-2 * expected.gradient_norm + 1e-9;
  for (size_t t = 0; t < graph.tensors().size(); ++t) {
    const TensorInfo& info = graph.tensors()[t];
    if (info.role == TensorRole::kStatistic) {
      check_close(info.name, after.values[t], state.values[t], bounds, 1e-3);
      continue;
    }
    reference::Values gradient = after.momentum[t];
    for (double& value : gradient) value = -value;
    check_close("gradient of " + info.name, gradient, expected.gradients[t], bounds, floor);
  }
  check_confidences("after the step", model, batch, options.plan, bounds);
}

bool bit_equal(const std::vector<NamedTensor>& a, const std::vector<NamedTensor>& b) {
  const auto same = [](const NamedTensor& x, const NamedTensor& y) {
    return x.name == y.name && x.role == y.role && x.shape == y.shape && x.values.size() == y.values.size() &&
           std::memcmp(x.values.data(), y.values.data(), x.values.size() * sizeof(float)) == 0;
  };
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), same);
}

}  // namespace dl::test
