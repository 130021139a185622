// Stop, store, reload, go on: bit-equal to never having stopped.
#include <doctest/doctest.h>

#include "test/batch.h"
#include "test/device.h"
#include "test/model_tensors.h"
#include "test/network.h"
#include "test/refusal.h"

namespace dl::test {
namespace {

constexpr ImageShape kImage{3, 8, 8};

std::vector<Layer> layers() {
  Network network(3);
  network.then(convolution(16)).then(BatchNorm{}).then(Relu{});
  const std::string stem = network.last();
  network.then(convolution(16)).then(BatchNorm{}).join(Add{}, {network.last(), stem}).then(Relu{}).then(Dropout{0.3});
  return network.classify(4);
}

void train(Model& model, uint64_t first, uint64_t last, Precision precision) {
  for (uint64_t step = first; step < last; ++step) {
    Random random(5000 + step);
    const Batch batch = random_batch(random, kImage, 6, 4, PixelFormat::kUint8);
    model.train(batch.view(), batch.labels, {{3, precision, true}, 2, step < 4 ? 0.05 : 0.01, 0.9, 0.001, step});
  }
}

TEST_CASE("a model restored from a snapshot goes on bit by bit as the one that never stopped") {
  Model whole(device(), layers(), kImage, 7);
  train(whole, 0, 6, Precision::kFloat32);

  Model first_half(device(), layers(), kImage, 7);
  train(first_half, 0, 3, Precision::kFloat32);
  Model second_half(device(), layers(), kImage, 7);
  second_half.restore(first_half.snapshot());
  CHECK(bit_equal(second_half.snapshot(), first_half.snapshot()));
  train(second_half, 3, 6, Precision::kFloat32);

  CHECK(bit_equal(second_half.snapshot(), whole.snapshot()));
  CHECK_FALSE(bit_equal(second_half.snapshot(), first_half.snapshot()));
}

TEST_CASE("applying in between changes nothing") {
  Model whole(device(), layers(), kImage, 8);
  train(whole, 0, 4, Precision::kFloat32);
  Model interrupted(device(), layers(), kImage, 8);
  train(interrupted, 0, 2, Precision::kFloat32);
  Random random(9);
  interrupted.apply(random_batch(random, kImage, 5, 4, PixelFormat::kFloat32).view(), {2, Precision::kFloat32, false});
  train(interrupted, 2, 4, Precision::kFloat32);
  CHECK(bit_equal(interrupted.snapshot(), whole.snapshot()));
}

TEST_CASE("applying follows the weights: after a step, after a restoration, and again without a change") {
  Random random(11);
  const Batch batch = random_batch(random, kImage, 5, 4, PixelFormat::kFloat32);
  const PlanOptions options{2, Precision::kFloat32, false};
  Model model(device(), layers(), kImage, 12);
  const auto untrained = model.apply(batch.view(), options);
  const auto weights = model.snapshot();
  train(model, 0, 2, Precision::kFloat32);
  const auto trained = model.apply(batch.view(), options);

  // A model that has never applied before has no copies of weights that could be out of date.
  Model fresh(device(), layers(), kImage, 13);
  fresh.restore(model.snapshot());
  CHECK(trained == fresh.apply(batch.view(), options));
  CHECK(trained == model.apply(batch.view(), options));
  CHECK(trained != untrained);
  model.restore(weights);
  CHECK(model.apply(batch.view(), options) == untrained);
}

TEST_CASE("a snapshot holds every tensor of the graph and the momentum of every trained one") {
  const Model model(device(), layers(), kImage, 9);
  const std::vector<NamedTensor> snapshot = model.snapshot();
  size_t expected = 0;
  for (const TensorInfo& info : model.graph().tensors()) {
    CHECK(find(snapshot, info.name, info.role).shape == info.shape);
    ++expected;
    if (info.role == TensorRole::kStatistic) continue;
    CHECK(find(snapshot, info.name, TensorRole::kMomentum).shape == info.shape);
    ++expected;
  }
  CHECK(snapshot.size() == expected);
}

TEST_CASE("restoring some tensors leaves the others; a wrong one among them leaves all") {
  Model model(device(), layers(), kImage, 10);
  train(model, 0, 2, Precision::kFloat32);
  const std::vector<NamedTensor> before = model.snapshot();

  NamedTensor good = find(before, "convolution1.weight", TensorRole::kWeight);
  for (float& value : good.values) value += 1;
  NamedTensor bad_name = good;
  bad_name.name = "convolution99.weight";
  NamedTensor bad_role = good;
  bad_role.role = TensorRole::kStatistic;
  NamedTensor bad_shape = good;
  std::swap(bad_shape.shape[0], bad_shape.shape[1]);
  NamedTensor bad_size = good;
  bad_size.values.pop_back();
  for (const NamedTensor& bad : {bad_name, bad_role, bad_shape, bad_size}) {
    CHECK(refuses(Reason::kInvalidArgument, [&] { model.restore({good, bad}); }));
    CHECK(bit_equal(model.snapshot(), before));
  }

  model.restore({good});
  const std::vector<NamedTensor> after = model.snapshot();
  for (const NamedTensor& tensor : after) {
    const bool changed = tensor.name == good.name && tensor.role == good.role;
    CHECK(tensor.values == (changed ? good.values : find(before, tensor.name, tensor.role).values));
  }
}

}  // namespace
}  // namespace dl::test
