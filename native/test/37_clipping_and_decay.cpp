// max_gradient_norm shortens the gradient of L, as torch.nn.utils.clip_grad_norm_ does; weight_decay takes from weights beside
// it.
#include <doctest/doctest.h>

#include "test/device.h"
#include "test/model_tensors.h"
#include "test/network.h"
#include "test/training_run.h"

namespace dl::test {
namespace {

constexpr ImageShape kImage{3, 7, 6};

TEST_CASE("clipped steps are those of the formula, with prior and sub-batches, by SGD and by Adam") {
  for (const Solver solver : {Solver::kSgd, Solver::kAdam}) {
    TrainingRun run(small_network(), kImage, 4, solver, 370);
    bool clipped = false, whole = false;
    for (int step = 0; step < 8; ++step) {
      TrainOptions options;
      options.learning_rate = 0.02;
      options.weight_prior = 0.02;
      options.max_gradient_norm = step % 2 == 0 ? 0.3 : 100;
      const double norm = run.step(options, step % 3 == 0 ? 2 : 1).gradient_norm;
      (norm > options.max_gradient_norm ? clipped : whole) = true;
    }
    CHECK((clipped && whole));
    run.check_agreement(1e-5, 1e-4);
  }
}

TEST_CASE("the norm is told before clipping; the step is as long as the limit says") {
  Model model(device(), small_network(), kImage, 371);
  Random random(371);
  const Batch batch = random_batch(random, kImage, 4, 4, PixelFormat::kUint8);
  const std::vector<NamedTensor> before = model.snapshot();
  TrainOptions options;
  options.plan.batch_size = 4;
  options.learning_rate = 1;
  options.momentum = 0;
  const auto length_of_step = [&] { return relative_distance(reference_state(model).momentum, reference::zeros(model.graph())); };
  const double norm = model.train(batch.view(), batch.labels, options).gradient_norm;
  CHECK(length_of_step() == doctest::Approx(norm).epsilon(1e-5));
  model.restore(before);
  options.max_gradient_norm = norm / 3;
  CHECK(model.train(batch.view(), batch.labels, options).gradient_norm == norm);
  CHECK(length_of_step() == doctest::Approx(norm / 3).epsilon(1e-5));
  model.restore(before);
  options.max_gradient_norm = 2 * norm;
  CHECK(model.train(batch.view(), batch.labels, options).gradient_norm == norm);
  CHECK(length_of_step() == doctest::Approx(norm).epsilon(1e-5));
}

TEST_CASE("weight decay beside SGD: the weights shrink by learning_rate * weight_decay, momentum and biases do not see it") {
  TrainingRun run(small_network(), kImage, 4, Solver::kSgd, 372);
  Model& model = run.model();
  TrainOptions options;
  options.learning_rate = 0.1;
  options.weight_decay = 0.5;
  Model twin(device(), small_network(), kImage, 372);
  twin.restore(model.snapshot());
  const std::vector<NamedTensor> before = model.snapshot();
  const Batch batch = run.batch();
  run.step(options);
  options.weight_decay = 0;
  options.plan.batch_size = 4;
  twin.train(batch.view(), batch.labels, options);
  const std::vector<NamedTensor> decayed = model.snapshot(), plain = twin.snapshot();
  for (const TensorInfo& info : model.graph().tensors()) {
    if (info.role == TensorRole::kStatistic) continue;
    CAPTURE(info.name);
    const float share = info.role == TensorRole::kWeight ? 0.05f : 0.0f;
    CHECK(find(decayed, info.name, TensorRole::kMomentum).values == find(plain, info.name, TensorRole::kMomentum).values);
    const std::vector<float>& w = find(before, info.name, info.role).values;
    const std::vector<float>& with = find(decayed, info.name, info.role).values;
    const std::vector<float>& without = find(plain, info.name, info.role).values;
    for (size_t i = 0; i < w.size(); ++i) REQUIRE(with[i] == doctest::Approx(without[i] - share * w[i]).epsilon(1e-5));
  }
  run.check_agreement(1e-5, 1e-4);
}

}  // namespace
}  // namespace dl::test
