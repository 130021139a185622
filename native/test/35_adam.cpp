// Adam beside the float64 reference; its state: what a set resets, what is stored, what it costs.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <thread>

#include "test/device.h"
#include "test/model_tensors.h"
#include "test/network.h"
#include "test/refusal.h"
#include "test/training_run.h"

namespace dl::test {
namespace {

constexpr ImageShape kImage{3, 7, 6};
constexpr int64_t kBatch = 4;

TrainOptions adam_options(double learning_rate) {
  TrainOptions options;
  options.plan.deterministic = true;
  options.learning_rate = learning_rate;
  return options;
}

bool is_zero(const NamedTensor& tensor) {
  return std::all_of(tensor.values.begin(), tensor.values.end(), [](float value) { return value == 0; });
}

constexpr TensorRole kParts[] = {TensorRole::kFirstMoment, TensorRole::kSecondMoment, TensorRole::kUpdateCount};

TEST_CASE("ten steps of Adam are ten steps of the formula: weight prior, weight decay, a rate and betas that change midway") {
  TrainingRun run(small_network(), kImage, kBatch, Solver::kAdam, 350);
  for (int step = 0; step < 10; ++step) {
    TrainOptions options = adam_options(step < 5 ? 0.01 : 0.002);
    options.weight_prior = 0.02;
    options.weight_decay = 0.1;
    if (step >= 7) options.adam_beta1 = 0.8;
    if (step >= 8) options.adam_beta2 = 0.99;
    if (step >= 9) options.adam_epsilon = 1e-3;
    run.step(options);
  }
  run.check_agreement(1e-5, 1e-4);
}

TEST_CASE("Adam without memory, and with sub-batches") {
  TrainingRun run(small_network(), kImage, kBatch, Solver::kAdam, 351);
  TrainOptions options = adam_options(0.001);
  options.adam_beta1 = 0;
  run.step(options, 2);
  options.adam_beta2 = 0;
  options.adam_epsilon = 0.01;
  run.step(options, 4);
  run.step(options, 1);
  run.check_agreement(1e-5, 1e-4);
}

TEST_CASE("the first step of Adam moves each value by the learning rate against its gradient, whatever the gradient's size") {
  Model model(device(), small_network(), kImage, 352);
  model.set_solver(Solver::kAdam);
  Random random(352);
  const Batch batch = random_batch(random, kImage, kBatch, 4, PixelFormat::kUint8);
  const std::vector<NamedTensor> before = model.snapshot();
  TrainOptions options = adam_options(0.5);
  options.plan.batch_size = kBatch;
  options.adam_epsilon = 1e-15;
  model.train(batch.view(), batch.labels, options);
  const std::vector<NamedTensor> after = model.snapshot();
  for (const TensorInfo& info : model.graph().tensors()) {
    if (info.role == TensorRole::kStatistic) continue;
    CAPTURE(info.name);
    const std::vector<float>& w = find(before, info.name, info.role).values;
    const std::vector<float>& now = find(after, info.name, info.role).values;
    const std::vector<float>& m = find(after, info.name, TensorRole::kFirstMoment).values;
    for (size_t i = 0; i < w.size(); ++i) {
      if (std::abs(m[i]) < 1e-10f) continue;
      REQUIRE(now[i] == doctest::Approx(w[i] - std::copysign(0.5f, m[i])).epsilon(1e-5));
    }
  }
}

TEST_CASE("another solver begins at 0 and leaves weights alone; the same solver again keeps its state") {
  TrainingRun run(small_network(), kImage, kBatch, Solver::kSgd, 353);
  Model& model = run.model();
  run.step(adam_options(0.01));
  const std::vector<NamedTensor> with_sgd = model.snapshot();
  model.set_solver(Solver::kSgd);
  CHECK(bit_equal(model.snapshot(), with_sgd));
  model.set_solver(Solver::kAdam);
  for (const NamedTensor& tensor : model.snapshot()) {
    CAPTURE(tensor.name);
    const bool part = std::find(std::begin(kParts), std::end(kParts), tensor.role) != std::end(kParts);
    CHECK((part ? is_zero(tensor) : tensor.values == find(with_sgd, tensor.name, tensor.role).values));
  }
  model.set_solver(Solver::kSgd);
  for (const NamedTensor& tensor : model.snapshot())
    if (tensor.role == TensorRole::kMomentum) CHECK(is_zero(tensor));
}

TEST_CASE("a layer that is initialised anew loses its own moments and counts, the others keep theirs") {
  TrainingRun run(small_network(), kImage, kBatch, Solver::kAdam, 354);
  Model& model = run.model();
  for (int step = 0; step < 3; ++step) run.step(adam_options(0.01));
  const std::vector<NamedTensor> before = model.snapshot();
  CHECK(model.reshape(small_network(), kImage, {{"convolution4"}, 9}) == std::vector<std::string>{"convolution4"});
  const std::vector<NamedTensor> after = model.snapshot();
  for (const TensorInfo& info : model.graph().tensors()) {
    if (info.role == TensorRole::kStatistic) continue;
    CAPTURE(info.name);
    for (const TensorRole part : kParts) {
      const NamedTensor& now = find(after, info.name, part);
      CHECK((info.layer == "convolution4" ? is_zero(now) : now.values == find(before, info.name, part).values));
    }
  }
  CHECK(find(after, "convolution1.weight", TensorRole::kUpdateCount).values == std::vector<float>{3});
  CHECK(find(after, "convolution1.weight", TensorRole::kUpdateCount).shape.empty());
}

TEST_CASE("a frozen layer's moments and counts stand still; thawed, it goes on as if the steps between had not been") {
  TrainingRun run(small_network(), kImage, kBatch, Solver::kAdam, 355);
  run.step(adam_options(0.01));
  const std::vector<NamedTensor> before = run.model().snapshot();
  TrainOptions frozen = adam_options(0.01);
  frozen.weight_decay = 0.1;
  frozen.plan.frozen_layers = {"convolution1", "batch_norm2"};
  run.step(frozen);
  const std::vector<NamedTensor> after = run.model().snapshot();
  for (const char* name : {"convolution1.weight", "batch_norm2.weight", "batch_norm2.bias"})
    for (const TensorRole part : kParts) CHECK(find(after, name, part).values == find(before, name, part).values);
  run.step(adam_options(0.01));
  run.check_agreement(1e-5, 1e-4);
  CHECK(run.reference().updates[0] == 2);
}

TEST_CASE("restored from a snapshot Adam goes on bit by bit as the one that never stopped") {
  TrainingRun whole(small_network(), kImage, kBatch, Solver::kAdam, 356);
  for (int step = 0; step < 3; ++step) whole.step(adam_options(0.01));
  Model second_half(device(), small_network(), kImage, 356);
  second_half.set_solver(Solver::kAdam);
  second_half.restore(whole.model().snapshot());
  CHECK(bit_equal(second_half.snapshot(), whole.model().snapshot()));
  for (uint64_t step = 3; step < 6; ++step) {
    const Batch batch = whole.batch();
    whole.step(adam_options(0.01));
    TrainOptions options = adam_options(0.01);
    options.plan.batch_size = kBatch;
    options.step = step;
    second_half.train(batch.view(), batch.labels, options);
  }
  CHECK(bit_equal(second_half.snapshot(), whole.model().snapshot()));
}

TEST_CASE("state of the other solver, and state that no step leaves, is not restored") {
  Model sgd(device(), small_network(), kImage, 357);
  Model adam(device(), small_network(), kImage, 357);
  adam.set_solver(Solver::kAdam);
  const std::vector<NamedTensor> before = adam.snapshot();
  CHECK(refuses(Reason::kInvalidArgument, [&] { sgd.restore(adam.snapshot()); }));
  CHECK(refuses(Reason::kInvalidArgument, [&] { adam.restore(sgd.snapshot()); }));
  const auto refused = [&](TensorRole part, float value) {
    NamedTensor tensor = find(before, "convolution4.bias", part);
    tensor.values.back() = value;
    return refuses(Reason::kInvalidArgument, [&] { adam.restore({tensor}); });
  };
  const float nan = std::numeric_limits<float>::quiet_NaN();
  for (const float value : {nan, 1e16f, -1e16f}) CHECK(refused(TensorRole::kFirstMoment, value));
  for (const float value : {nan, -1e-20f, 1e31f}) CHECK(refused(TensorRole::kSecondMoment, value));
  for (const float value : {nan, -1.0f, 0.5f, 16777218.0f}) CHECK(refused(TensorRole::kUpdateCount, value));
  NamedTensor statistic = find(before, "batch_norm2.running_mean", TensorRole::kStatistic);
  statistic.role = TensorRole::kFirstMoment;
  CHECK(refuses(Reason::kInvalidArgument, [&] { adam.restore({statistic}); }));
  CHECK(bit_equal(adam.snapshot(), before));
}

TEST_CASE("the count of updates ends where float32 can count no further") {
  Model model(device(), small_network(), kImage, 358);
  model.set_solver(Solver::kAdam);
  std::vector<NamedTensor> tensors = model.snapshot();
  for (NamedTensor& tensor : tensors)
    if (tensor.role == TensorRole::kUpdateCount) tensor.values = {16777215.0f};
  model.restore(tensors);
  Random random(358);
  const Batch batch = random_batch(random, kImage, kBatch, 4, PixelFormat::kUint8);
  TrainOptions options = adam_options(0.001);
  options.plan.batch_size = kBatch;
  for (int step = 0; step < 3; ++step) model.train(batch.view(), batch.labels, options);
  CHECK(find(model.snapshot(), "convolution1.weight", TensorRole::kUpdateCount).values == std::vector<float>{16777216.0f});
}

TEST_CASE("Adam's second moment is counted in the memory, exactly") {
  Model model(device(), small_network(), kImage, 359);
  const PlanOptions plan{kBatch, Precision::kFloat32, false};
  const int64_t with_sgd = model.memory_bytes();
  CHECK(model.plan_memory(plan).parameter_bytes == with_sgd);
  model.set_solver(Solver::kAdam);
  const int64_t with_adam = model.memory_bytes();
  CHECK(model.plan_memory(plan).parameter_bytes == with_adam);
  CHECK(with_adam >= with_sgd + model.graph().parameter_count() * 4);
  // The gaps between tensors of 64 bytes each, and the counts.
  CHECK(with_adam <= with_sgd + model.graph().parameter_count() * 4 + static_cast<int64_t>(model.graph().tensors().size()) * 68);
  model.set_solver(Solver::kSgd);
  CHECK(model.memory_bytes() == with_sgd);
}

TEST_CASE("the kernels of a step of Adam give the same bits with any number of threads") {
  // 70,000 weights: several pieces for several threads. One image of 1 x 1, so that no sum depends on the threads.
  const std::vector<Layer> layers = Network(3).then(FullyConnected{7000, false}).classify_flat(10);
  const auto run = [&](int threads) {
    device().begin(threads);
    Model model(device(), layers, {3, 1, 1}, 3500);
    model.set_solver(Solver::kAdam);
    Random random(3500);
    for (uint64_t step = 0; step < 3; ++step) {
      const Batch batch = random_batch(random, {3, 1, 1}, 1, 10, PixelFormat::kUint8);
      TrainOptions options = adam_options(0.01);
      options.max_gradient_norm = 0.1;
      options.weight_decay = 0.01;
      model.train(batch.view(), batch.labels, options);
    }
    return model.snapshot();
  };
  const std::vector<NamedTensor> alone = run(1);
  for (const int threads : {2, 3}) CHECK(bit_equal(run(threads), alone));
  device().begin(static_cast<int>(std::thread::hardware_concurrency()));
}

TEST_CASE("a step of Adam that diverges changes nothing: huge gradients, a rate without measure, a decay without measure") {
  Random random(3501);
  const Batch batch = random_batch(random, kImage, kBatch, 4, PixelFormat::kUint8);
  TrainOptions options = adam_options(0.01);
  options.plan.batch_size = kBatch;
  const auto refused = [&](const TrainOptions& changed, float last_layer) {
    Model model(device(), small_network(), kImage, 3501);
    model.set_solver(Solver::kAdam);
    model.train(batch.view(), batch.labels, options);
    std::vector<NamedTensor> tensors = model.snapshot();
    for (NamedTensor& tensor : tensors)
      if (tensor.name == "fully_connected7.weight" && tensor.role == TensorRole::kWeight)
        for (float& value : tensor.values) value *= last_layer;
    model.restore(tensors);
    const bool diverged = refuses(Reason::kStepDiverged, [&] { model.train(batch.view(), batch.labels, changed); });
    return diverged && bit_equal(model.snapshot(), tensors);
  };
  CHECK_FALSE(refused(options, 1));
  CHECK(refused(options, 1e18f));
  CHECK(refused(options, std::numeric_limits<float>::quiet_NaN()));
  TrainOptions fast = options;
  fast.learning_rate = 1e300;
  CHECK(refused(fast, 1));
  fast.learning_rate = 1e10;
  fast.adam_epsilon = 1e-15;
  CHECK(refused(fast, 1));
  TrainOptions decaying = options;
  decaying.weight_decay = 1e300;
  CHECK(refused(decaying, 1));
}

}  // namespace
}  // namespace dl::test
