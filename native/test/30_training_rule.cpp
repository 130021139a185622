// v = momentum * v - learning_rate * dL/dw; w = w + v: ten steps with momentum, weight prior and a learning rate that changes
// midway.
#include <doctest/doctest.h>

#include <cmath>
#include <functional>

#include "test/comparison.h"
#include "test/device.h"
#include "test/model_tensors.h"
#include "test/network.h"

namespace dl::test {
namespace {

constexpr ImageShape kImage{3, 7, 6};
constexpr int64_t kBatch = 4;
constexpr int kSteps = 10;
constexpr uint64_t kSeed = 30;

double changing_rate(int step) { return step < kSteps / 2 ? 0.1 : 0.002; }
double constant_rate(int) { return 0.05; }

/// The batch of a step, the same for everybody.
Batch batch_of(int step) {
  Random random(3000 + static_cast<uint64_t>(step));
  return random_batch(random, kImage, kBatch, 4, PixelFormat::kUint8);
}

reference::TrainingOptions options_of(int step, double rate) {
  return {.batch_size = kBatch,
          .learning_rate = rate,
          .momentum = 0.9,
          .weight_prior = 0.02,
          .seed = kSeed,
          .step = static_cast<uint64_t>(step)};
}

using Rule = std::function<void(const Graph&, reference::TrainingState&, int step, double rate)>;

void our_rule(const Graph& graph, reference::TrainingState& state, int step, double rate) {
  const Batch batch = batch_of(step);
  reference::train_step(graph, state, batch.images, batch.labels, options_of(step, rate));
}

/// torch.optim.SGD: buffer = momentum * buffer + gradient; w = w - learning_rate * buffer
void pytorch_rule(const Graph& graph, reference::TrainingState& state, int step, double rate) {
  const Batch batch = batch_of(step);
  reference::TrainingState gradient_only = state;
  const reference::TrainingResult result =
      reference::train_step(graph, gradient_only, batch.images, batch.labels, options_of(step, 0));
  for (size_t t = 0; t < graph.tensors().size(); ++t) {
    if (graph.tensors()[t].role == TensorRole::kStatistic) {
      state.values[t] = gradient_only.values[t];
      continue;
    }
    for (size_t i = 0; i < state.values[t].size(); ++i) {
      state.momentum[t][i] = 0.9 * state.momentum[t][i] + result.gradients[t][i];
      state.values[t][i] -= rate * state.momentum[t][i];
    }
  }
}

reference::TrainingState after_ten_steps(const Graph& graph, reference::TrainingState state, double (*rate)(int),
                                         const Rule& rule) {
  for (int step = 0; step < kSteps; ++step) rule(graph, state, step, rate(step));
  return state;
}

/// |a - b| / |b| over all values of all tensors, Euclidean.
double distance(const reference::Parameters& a, const reference::Parameters& b) {
  double difference = 0;
  double size = 0;
  for (size_t t = 0; t < b.size(); ++t)
    for (size_t i = 0; i < b[t].size(); ++i) {
      difference += std::pow(a[t][i] - b[t][i], 2);
      size += b[t][i] * b[t][i];
    }
  return std::sqrt(difference / size);
}

TEST_CASE("ten steps of the engine are ten steps of the formula") {
  Model model(device(), small_network(), kImage, kSeed);
  Random random(kSeed);
  randomize(model, random);
  reference::TrainingState state = reference_state(model);
  for (int step = 0; step < kSteps; ++step) {
    CAPTURE(step);
    const double rate = changing_rate(step);
    const Batch batch = batch_of(step);
    const reference::TrainingResult expected =
        reference::train_step(model.graph(), state, batch.images, batch.labels, options_of(step, rate));
    const StepResult result = model.train(
        batch.view(), batch.labels, {{kBatch, Precision::kFloat32, false}, 1, rate, 0.9, 0.02, static_cast<uint64_t>(step)});
    CHECK(result.loss == doctest::Approx(expected.loss).epsilon(1e-5));
    CHECK(result.loss_multinomial_logistic == doctest::Approx(expected.loss_multinomial_logistic).epsilon(1e-5));
    CHECK(result.loss_regularization == doctest::Approx(expected.loss_regularization).epsilon(1e-5));
    CHECK(result.gradient_norm == doctest::Approx(expected.gradient_norm).epsilon(1e-4));
    CHECK(result.loss == doctest::Approx(result.loss_multinomial_logistic + result.loss_regularization).epsilon(1e-12));
  }
  const reference::TrainingState trained = reference_state(model);
  CHECK(distance(trained.values, state.values) < 1e-5);
  CHECK(distance(trained.momentum, state.momentum) < 1e-4);
}

TEST_CASE("PyTorch's rule agrees while the learning rate is constant and differs once it changes; the engine follows ours") {
  Model model(device(), small_network(), kImage, kSeed);
  Random random(kSeed);
  randomize(model, random);
  const Graph& graph = model.graph();
  const reference::TrainingState start = reference_state(model);

  const auto ours_constant = after_ten_steps(graph, start, constant_rate, our_rule);
  const auto pytorch_constant = after_ten_steps(graph, start, constant_rate, pytorch_rule);
  CHECK(distance(pytorch_constant.values, ours_constant.values) < 1e-10);

  const auto ours = after_ten_steps(graph, start, changing_rate, our_rule);
  const auto pytorch = after_ten_steps(graph, start, changing_rate, pytorch_rule);
  CHECK(distance(pytorch.values, ours.values) > 1e-2);

  for (int step = 0; step < kSteps; ++step) {
    const Batch batch = batch_of(step);
    model.train(batch.view(), batch.labels,
                {{kBatch, Precision::kFloat32, false}, 1, changing_rate(step), 0.9, 0.02, static_cast<uint64_t>(step)});
  }
  const reference::Parameters trained = reference_state(model).values;
  CHECK(distance(trained, ours.values) < 1e-5);
  CHECK(distance(trained, pytorch.values) > 1e-2);
}

TEST_CASE("the weight prior pulls at weights alone") {
  Model model(device(), small_network(), kImage, kSeed);
  Random random(kSeed);
  randomize(model, random);
  const Batch batch = batch_of(0);
  const std::vector<NamedTensor> before = model.snapshot();
  const auto gradients = [&](double prior) {
    model.restore(before);
    model.train(batch.view(), batch.labels, {{kBatch, Precision::kFloat32, true}, 1, 1.0, 0.0, prior, 0});
    return model.snapshot();
  };
  const std::vector<NamedTensor> without = gradients(0);
  const std::vector<NamedTensor> with = gradients(0.5);
  for (const TensorInfo& info : model.graph().tensors()) {
    if (info.role == TensorRole::kStatistic) continue;
    CAPTURE(info.name);
    const std::vector<float>& w = find(before, info.name, info.role).values;
    const std::vector<float>& a = find(without, info.name, TensorRole::kMomentum).values;
    const std::vector<float>& b = find(with, info.name, TensorRole::kMomentum).values;
    const float prior = info.role == TensorRole::kWeight ? 0.5f : 0.0f;
    for (size_t i = 0; i < w.size(); ++i) REQUIRE(a[i] - b[i] == doctest::Approx(prior * w[i]).epsilon(1e-4));
  }
}

}  // namespace
}  // namespace dl::test
