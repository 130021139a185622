// L_mn = -1/N * sum_n c_n log f(x_n): each image counts as much as the weight of its class says, N is the number of images.
#include <doctest/doctest.h>

#include <algorithm>
#include <limits>

#include "test/device.h"
#include "test/model_tensors.h"
#include "test/network.h"
#include "test/refusal.h"
#include "test/training_run.h"

namespace dl::test {
namespace {

constexpr ImageShape kImage{3, 6, 6};

std::vector<Layer> plain() { return Network(3).then(convolution(16, 3, 1, 1, 1, true)).then(Relu{}).classify(4); }
std::vector<Layer> normalized() { return Network(3).then(convolution(16)).then(BatchNorm{}).then(Relu{}).classify(4); }

TrainOptions weighted(const std::vector<double>& class_weights) {
  TrainOptions options;
  options.learning_rate = 0.05;
  options.weight_prior = 0.01;
  options.class_weights = class_weights;
  return options;
}

TEST_CASE("steps with class weights are those of the formula, by SGD and by Adam") {
  for (const Solver solver : {Solver::kSgd, Solver::kAdam}) {
    TrainingRun run(normalized(), kImage, 8, solver, 360);
    for (int step = 0; step < 4; ++step) run.step(weighted({0.5, 2, 0, 3.25}), step % 2 == 0 ? 1 : 2);
    run.check_agreement(1e-5, 1e-4);
  }
}

TEST_CASE("weights of 1 are no weights, bit by bit") {
  TrainingRun without(normalized(), kImage, 8, Solver::kSgd, 361);
  TrainingRun with(normalized(), kImage, 8, Solver::kSgd, 361);
  const auto exact = [](const std::vector<double>& class_weights) {
    TrainOptions options = weighted(class_weights);
    options.plan.deterministic = true;
    return options;
  };
  CHECK(without.step(exact({})).loss == with.step(exact({1, 1, 1, 1})).loss);
  CHECK(bit_equal(without.model().snapshot(), with.model().snapshot()));
}

TEST_CASE("without batch norm sub-batches equal the whole batch, though the classes lie unevenly in them") {
  const auto after = [](int64_t multiplier) {
    TrainingRun run(plain(), kImage, 8, Solver::kSgd, 362);
    const StepResult result = run.step(weighted({10, 1, 0.1, 0}), multiplier);
    return std::pair(result, reference_state(run.model()).momentum);
  };
  const auto [whole, whole_momentum] = after(1);
  for (const int64_t multiplier : {2, 4, 8}) {
    const auto [parts, momentum] = after(multiplier);
    CHECK(parts.loss == doctest::Approx(whole.loss).epsilon(1e-6));
    CHECK(relative_distance(momentum, whole_momentum) < 1e-5);
  }
}

TEST_CASE("images of a class of weight 0 change nothing, and the error counts them all the same") {
  Model model(device(), plain(), kImage, 363);
  Random random(363);
  Batch batch = random_batch(random, kImage, 4, 4, PixelFormat::kUint8);
  std::fill(batch.labels.begin(), batch.labels.end(), 2);
  const std::vector<NamedTensor> before = model.snapshot();
  TrainOptions options = weighted({1, 1, 0, 1});
  options.plan.batch_size = 4;
  options.weight_prior = 0;
  const StepResult ignored = model.train(batch.view(), batch.labels, options);
  CHECK(ignored.loss == 0);
  CHECK(ignored.gradient_norm == 0);
  CHECK(bit_equal(model.snapshot(), before));
  options.class_weights.clear();
  CHECK(ignored.top1_error == model.train(batch.view(), batch.labels, options).top1_error);
}

TEST_CASE("bfloat16 weighs as float32 does") {
  for (const Precision precision : device().info().precisions) {
    Model model(device(), normalized(), kImage, 364);
    Random random(364);
    Batch batch = random_batch(random, kImage, 4, 4, PixelFormat::kUint8);
    std::fill(batch.labels.begin(), batch.labels.end(), 1);
    TrainOptions options = weighted({});
    options.plan = {4, precision, true};
    options.weight_prior = 0;
    const std::vector<NamedTensor> before = model.snapshot();
    const double plain_loss = model.train(batch.view(), batch.labels, options).loss;
    model.restore(before);
    options.class_weights = {0, 2, 0, 0};
    CHECK(model.train(batch.view(), batch.labels, options).loss == 2 * plain_loss);
  }
}

TEST_CASE("too few weights, or weights out of range, are refused") {
  Model model(device(), plain(), kImage, 365);
  Random random(365);
  const Batch batch = random_batch(random, kImage, 4, 4, PixelFormat::kUint8);
  const std::vector<NamedTensor> before = model.snapshot();
  for (const std::vector<double>& wrong : std::vector<std::vector<double>>{
           {1, 1, 1}, {1, 1, 1, 1, 1}, {1, -1, 1, 1}, {1, std::numeric_limits<double>::infinity(), 1, 1}}) {
    TrainOptions options = weighted(wrong);
    options.plan.batch_size = 4;
    CHECK(refuses(Reason::kInvalidArgument, [&] { model.train(batch.view(), batch.labels, options); }));
  }
  CHECK(bit_equal(model.snapshot(), before));
}

}  // namespace
}  // namespace dl::test
