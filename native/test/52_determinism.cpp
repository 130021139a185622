// Deterministic mode: two runs are bit-equal. Without it, and with another number of threads, they agree as float32 does.
#include <doctest/doctest.h>

#include <set>
#include <thread>

#include "test/batch.h"
#include "test/device.h"
#include "test/model_tensors.h"
#include "test/network.h"

namespace dl::test {
namespace {

constexpr ImageShape kImage{3, 17, 15};

std::vector<Layer> layers() {
  Network network(3);
  network.then(convolution(32, 5, 2, 2)).then(BatchNorm{}).then(Relu{}).then(pool(Pool::Kind::kMax, 3, 2, 1));
  const std::string stem = network.last();
  network.then(convolution(32)).then(BatchNorm{}).join(Add{}, {network.last(), stem}).then(Relu{}).then(Dropout{0.2});
  return network.then(FullyConnected{24, true}).then(Relu{}).classify_flat(5);
}

struct Run {
  std::vector<double> losses;
  std::vector<NamedTensor> tensors;
  std::vector<float> confidences;
};

Run run(Precision precision, bool deterministic) {
  Model model(device(), layers(), kImage, 70);
  const PlanOptions plan{6, precision, deterministic};
  Run outcome;
  Random random(70);
  for (uint64_t step = 0; step < 5; ++step) {
    const Batch batch = random_batch(random, kImage, 6, 5, PixelFormat::kUint8);
    const StepResult result = model.train(batch.view(), batch.labels, {plan, 1, 0.05, 0.9, 0.001, step});
    outcome.losses.push_back(result.loss);
    outcome.losses.push_back(result.gradient_norm);
  }
  outcome.confidences = model.apply(random_batch(random, kImage, 9, 5, PixelFormat::kUint8).view(), plan);
  outcome.tensors = model.snapshot();
  return outcome;
}

TEST_CASE("deterministic runs are bit-equal: losses, norms, tensors, confidences") {
  for (const Precision precision : device().info().precisions) {
    const Run first = run(precision, true);
    const Run second = run(precision, true);
    CHECK(first.losses == second.losses);
    CHECK(bit_equal(first.tensors, second.tensors));
    CHECK(first.confidences == second.confidences);
  }
}

TEST_CASE("without deterministic mode, and with one thread, results agree as float32 does") {
  const Run expected = run(Precision::kFloat32, true);
  const Run free = run(Precision::kFloat32, false);
  device().begin(1);
  const Run alone = run(Precision::kFloat32, true);
  device().begin(static_cast<int>(std::thread::hardware_concurrency()));
  for (const Run* other : {&free, &alone}) {
    for (size_t i = 0; i < expected.losses.size(); ++i)
      CHECK(other->losses[i] == doctest::Approx(expected.losses[i]).epsilon(1e-4));
    for (size_t i = 0; i < expected.confidences.size(); ++i)
      CHECK(std::abs(other->confidences[i] - expected.confidences[i]) < 1e-4);
  }
}

TEST_CASE("a profiled step changes no bit, and names each layer once, in every step") {
  const PlanOptions plan{2, Precision::kFloat32, true};
  Model plain(device(), layers(), kImage, 71), profiled(device(), layers(), kImage, 71);
  Random random(71);
  StepProfile profile;
  for (uint64_t step = 0; step < 4; ++step) {
    const Batch batch = random_batch(random, kImage, 6, 5, PixelFormat::kUint8);
    TrainOptions options{plan, 3, 0.05, 0.9, 0.001, step};
    const StepResult expected = plain.train(batch.view(), batch.labels, options);
    if (step != 2) options.profile = &profile;
    const StepResult result = profiled.train(batch.view(), batch.labels, options);
    CHECK(result.loss == expected.loss);
    CHECK(result.gradient_norm == expected.gradient_norm);
  }
  CHECK(bit_equal(profiled.snapshot(), plain.snapshot()));
  std::set<std::string> names;
  for (const LayerSeconds& layer : profile.layers) {
    CAPTURE(layer.layer);
    CHECK(names.insert(layer.layer).second);
    CHECK(layer.forward >= 0);
    CHECK(layer.weights >= 0);
    CHECK(layer.backward >= 0);
  }
  CHECK(names.size() >= 8);
}

}  // namespace
}  // namespace dl::test
