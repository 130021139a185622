// Frozen layers: their weights, momentum and statistics stay bit by bit, the others train as in the float64 reference, and
// nothing is computed backward that nobody needs.
#include <doctest/doctest.h>

#include <algorithm>

#include "test/cases.h"
#include "test/comparison.h"
#include "test/device.h"
#include "test/model_tensors.h"
#include "test/network.h"
#include "test/refusal.h"

namespace dl::test {
namespace {

using Names = std::vector<std::string>;

constexpr ImageShape kImage{3, 9, 8};

/// convolution1, batch_norm2, a residual block of convolution4, batch_norm5, convolution7, batch_norm8, then fully_connected12.
std::vector<Layer> residual_network() {
  Network network(3);
  network.then(convolution(16)).then(BatchNorm{}).then(Relu{});
  const std::string stem = network.last();
  network.then(convolution(16)).then(BatchNorm{}).then(Relu{}).then(convolution(16)).then(BatchNorm{});
  return network.join(Add{}, {network.last(), stem}).then(Relu{}).classify(4);
}

Names layers_with_tensors(const Graph& graph) {
  Names names;
  for (const Graph::Node& node : graph.nodes())
    if (!node.tensors.empty()) names.push_back(node.name);
  return names;
}

bool contains(const Names& names, const std::string& name) { return std::find(names.begin(), names.end(), name) != names.end(); }

/// Two steps of the engine beside two of the reference; each tensor of a frozen layer must not change at all.
void check_frozen(const EngineCase& test, const Names& frozen, uint64_t seed) {
  INFO(test.name);
  for (const std::string& name : frozen) INFO(name);
  Model model(device(), test.layers, test.input, seed);
  Random random(seed);
  randomize(model, random);
  reference::TrainingState state = reference_state(model);
  const std::vector<NamedTensor> before = model.snapshot();
  const int64_t count = test.batch_size * test.batch_size_multiplier;
  double greatest = 0;
  for (uint64_t step = 0; step < 2; ++step) {
    const Batch batch = random_batch(random, test.input, count, model.graph().classes(), test.format);
    const reference::TrainingResult expected = reference::train_step(model.graph(), state, batch.images, batch.labels,
                                                                     {.batch_size = test.batch_size,
                                                                      .batch_size_multiplier = test.batch_size_multiplier,
                                                                      .learning_rate = 0.01,
                                                                      .momentum = 0.9,
                                                                      .weight_prior = 0.01,
                                                                      .seed = seed,
                                                                      .step = step,
                                                                      .frozen_layers = frozen});
    const PlanOptions plan{test.batch_size, Precision::kFloat32, true, frozen};
    const StepResult result = model.train(batch.view(), batch.labels, {plan, test.batch_size_multiplier, 0.01, 0.9, 0.01, step});
    CHECK(result.loss == doctest::Approx(expected.loss).epsilon(1e-5));
    CHECK(result.loss_regularization == doctest::Approx(expected.loss_regularization).epsilon(1e-5));
    CHECK(result.gradient_norm == doctest::Approx(expected.gradient_norm).epsilon(1e-4));
    greatest = std::max(greatest, expected.gradient_norm);
  }
  const std::vector<NamedTensor> after = model.snapshot();
  const reference::TrainingState trained = reference_state(model);
  for (size_t t = 0; t < model.graph().tensors().size(); ++t) {
    const TensorInfo& info = model.graph().tensors()[t];
    CAPTURE(info.name);
    if (contains(frozen, info.layer)) {
      CHECK(find(after, info.name, info.role).values == find(before, info.name, info.role).values);
      if (info.role != TensorRole::kStatistic)
        CHECK(find(after, info.name, TensorRole::kMomentum).values == find(before, info.name, TensorRole::kMomentum).values);
    } else {
      check_close("values", trained.values[t], state.values[t], kFloat32Bounds, 1e-5);
      // As in check_against_reference, times the learning rate.
      check_close("momentum", trained.momentum[t], state.momentum[t], kFloat32Bounds, 1e-4 * greatest + 1e-8);
    }
  }
}

TEST_CASE("each layer alone, all before a layer, and all but one layer of a residual network") {
  const EngineCase test{"residual network", kImage, 3, residual_network()};
  const Names all = layers_with_tensors(Graph(test.layers, kImage));
  for (size_t i = 0; i < all.size(); ++i) {
    check_frozen(test, {all[i]}, 340 + i);
    check_frozen(test, {all.begin(), all.begin() + static_cast<std::ptrdiff_t>(i)}, 350 + i);
    Names others = all;
    others.erase(others.begin() + static_cast<std::ptrdiff_t>(i));
    check_frozen(test, others, 360 + i);
  }
}

TEST_CASE("random choices of layers in blocks of real networks and in random networks") {
  std::vector<EngineCase> cases = block_cases();
  for (uint64_t seed = 3400; seed < 3440; ++seed) cases.push_back(random_case(seed));
  Random random(34);
  for (size_t i = 0; i < cases.size(); ++i) {
    Names frozen;
    for (const std::string& name : layers_with_tensors(Graph(cases[i].layers, cases[i].input)))
      if (random.chance(0.5)) frozen.push_back(name);
    check_frozen(cases[i], frozen, 3400 + i);
  }
}

TEST_CASE("where all is frozen a step tells the loss and changes nothing") {
  Model model(device(), residual_network(), kImage, 35);
  const std::vector<NamedTensor> before = model.snapshot();
  Random random(35);
  const Batch batch = random_batch(random, kImage, 3, 4, PixelFormat::kUint8);
  const PlanOptions plan{3, Precision::kFloat32, true, layers_with_tensors(model.graph())};
  const StepResult result = model.train(batch.view(), batch.labels, {plan, 1, 0.1, 0.9, 0.0, 0});
  CHECK(result.loss > 0);
  CHECK(result.gradient_norm == 0);
  CHECK(bit_equal(model.snapshot(), before));
}

TEST_CASE("frozen features are those of applying, whatever else is in the batch") {
  // All but the last layer is frozen: with zero weights there, the gradient of its bias is what applying's confidences say.
  Model model(device(), residual_network(), kImage, 36);
  Random random(36);
  randomize(model, random);
  const Batch batch = random_batch(random, kImage, 4, 4, PixelFormat::kUint8);
  const std::vector<float> confidences = model.apply(batch.view(), {4, Precision::kFloat32, true});
  Names frozen = layers_with_tensors(model.graph());
  const std::string last = frozen.back();
  frozen.pop_back();
  const PlanOptions plan{4, Precision::kFloat32, true, frozen};
  model.train(batch.view(), batch.labels, {plan, 1, 1.0, 0.0, 0.0, 0});
  const std::vector<NamedTensor> after = model.snapshot();
  for (size_t k = 0; k < 4; ++k) {
    double expected = 0;
    for (size_t n = 0; n < 4; ++n) {
      const double truth = batch.labels[n] == static_cast<int32_t>(k) ? 1.0 : 0.0;
      expected -= (static_cast<double>(confidences[n * 4 + k]) - truth) / 4;
    }
    CHECK(find(after, last + ".bias", TensorRole::kMomentum).values[k] == doctest::Approx(expected).epsilon(1e-5));
  }
}

TEST_CASE("bfloat16 keeps frozen layers, too, and trains the others") {
  for (const Precision precision : device().info().precisions) {
    Model model(device(), residual_network(), kImage, 37);
    const std::vector<NamedTensor> before = model.snapshot();
    Random random(37);
    const Batch batch = random_batch(random, kImage, 3, 4, PixelFormat::kUint8);
    const Names frozen{"convolution1", "batch_norm2", "convolution7"};
    model.train(batch.view(), batch.labels, {{3, precision, true, frozen}, 1, 0.1, 0.9, 0.001, 0});
    const std::vector<NamedTensor> after = model.snapshot();
    for (const TensorInfo& info : model.graph().tensors()) {
      CAPTURE(info.name);
      const bool same = find(after, info.name, info.role).values == find(before, info.name, info.role).values;
      CHECK(same == contains(frozen, info.layer));
    }
  }
}

TEST_CASE("the plan of a frozen network needs less memory, which is told before; thawing brings back the plan that was") {
  Model model(device(), residual_network(), kImage, 38);
  const Names all = layers_with_tensors(model.graph());
  const PlanOptions free{16, Precision::kFloat32, true};
  const PlanOptions frozen{16, Precision::kFloat32, true, {all.begin(), all.end() - 1}};
  const MemoryPlan planned = model.plan_memory(frozen);
  CHECK(planned.training_bytes < model.plan_memory(free).training_bytes);
  CHECK(planned.inference_bytes == model.plan_memory(free).inference_bytes);
  model.prepare(frozen);
  CHECK(model.memory_bytes() == planned.parameter_bytes + planned.training_bytes + planned.inference_bytes);
  Random random(38);
  const Batch batch = random_batch(random, kImage, 16, 4, PixelFormat::kUint8);
  model.train(batch.view(), batch.labels, {frozen, 1, 0.1, 0.9, 0.001, 0});
  CHECK(model.memory_bytes() == planned.parameter_bytes + planned.training_bytes + planned.inference_bytes);
  Model twin(device(), residual_network(), kImage, 38);
  twin.restore(model.snapshot());
  model.train(batch.view(), batch.labels, {free, 1, 0.1, 0.9, 0.001, 1});
  twin.train(batch.view(), batch.labels, {free, 1, 0.1, 0.9, 0.001, 1});
  CHECK(bit_equal(model.snapshot(), twin.snapshot()));
}

TEST_CASE("frozen weights that are restored between two steps count from the next step on") {
  Random random(41);
  const Batch batch = random_batch(random, kImage, 3, 4, PixelFormat::kUint8);
  Model model(device(), residual_network(), kImage, 41);
  Names frozen = layers_with_tensors(model.graph());
  frozen.pop_back();
  const TrainOptions options{{3, Precision::kFloat32, true, frozen}, 1, 0.1, 0.9, 0.0, 0};
  model.train(batch.view(), batch.labels, options);
  Model other(device(), residual_network(), kImage, 42);
  randomize(other, random);
  const std::vector<NamedTensor> values = other.snapshot();
  model.restore(values);
  const double loss = model.train(batch.view(), batch.labels, options).loss;
  CHECK(loss == other.train(batch.view(), batch.labels, options).loss);
  CHECK(bit_equal(model.snapshot(), other.snapshot()));
}

TEST_CASE("a name that no layer has is refused") {
  Model model(device(), residual_network(), kImage, 39);
  const PlanOptions plan{2, Precision::kFloat32, false, {"convolution1", "convolution77"}};
  CHECK(refuses(Reason::kInvalidArgument, [&] { model.plan_memory(plan); }));
  CHECK(refuses(Reason::kInvalidArgument, [&] { model.prepare(plan); }));
}

}  // namespace
}  // namespace dl::test
