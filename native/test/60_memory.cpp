// The memory plan is exact, a step allocates nothing that it does not name, and memory that is not there is an error, not a
// crash.
#include <doctest/doctest.h>

#include "test/batch.h"
#include "test/device.h"
#include "test/model_tensors.h"
#include "test/network.h"
#include "test/refusal.h"

namespace dl::test {
namespace {

constexpr ImageShape kImage{3, 24, 20};

std::vector<Layer> layers() {
  Network network(3);
  network.then(convolution(20, 3, 2)).then(BatchNorm{}).then(Relu{});
  const std::string stem = network.last();
  network.then(convolution(20)).then(BatchNorm{}).join(Add{}, {network.last(), stem}).then(Relu{}).then(Dropout{0.2});
  return network.classify(5);
}

TEST_CASE("plan_memory names exactly what prepare adds, and training and applying add nothing more") {
  for (const Precision precision : device().info().precisions)
    for (const bool deterministic : {false, true})
      for (const int64_t batch_size : {1, 3, 16}) {
        CAPTURE(batch_size);
        CAPTURE(deterministic);
        const PlanOptions plan{batch_size, precision, deterministic};
        Model model(device(), layers(), kImage, 80);
        const MemoryPlan planned = model.plan_memory(plan);
        CHECK(planned.parameter_bytes > 0);
        CHECK(planned.training_bytes > planned.inference_bytes);
        CHECK(planned.inference_bytes > 0);
        CHECK(model.memory_bytes() == planned.parameter_bytes);
        model.prepare(plan);
        CHECK(model.memory_bytes() == planned.parameter_bytes + planned.training_bytes + planned.inference_bytes);
        Random random(80);
        const Batch batch = random_batch(random, kImage, 2 * batch_size, 5, PixelFormat::kFloat32);
        model.train(batch.view(), batch.labels, {plan, 2, 0.1, 0.9, 0.001, 0});
        model.apply(batch.view(), plan);
        CHECK(model.memory_bytes() == planned.parameter_bytes + planned.training_bytes + planned.inference_bytes);
        CHECK(model.plan_memory(plan).training_bytes == planned.training_bytes);
      }
}

TEST_CASE("a larger batch needs more, and other options give back what the ones before held") {
  Model model(device(), layers(), kImage, 81);
  const PlanOptions small{2, Precision::kFloat32, false};
  const PlanOptions large{16, Precision::kFloat32, false};
  // 14 more outputs of the first convolution, 20 x 12 x 10 values of 4 bytes, are the least.
  CHECK(model.plan_memory(large).training_bytes >= model.plan_memory(small).training_bytes + 14 * 20 * 12 * 10 * 4);
  model.prepare(small);
  const int64_t with_small = model.memory_bytes();
  model.prepare(large);
  CHECK(model.memory_bytes() > with_small);
  model.prepare(small);
  CHECK(model.memory_bytes() == with_small);
}

TEST_CASE("memory that the machine does not have is kOutOfMemory; the model goes on as before") {
  Model model(device(), layers(), kImage, 82);
  const std::vector<NamedTensor> before = model.snapshot();
  const int64_t bytes_per_image = model.plan_memory({16, Precision::kFloat32, false}).training_bytes / 16;
  const int64_t too_many = 64 * device().info().memory_bytes / bytes_per_image;
  for (const int64_t batch_size : {too_many, int64_t{1} << 40, int64_t{1} << 60}) {
    CAPTURE(batch_size);
    const auto error = refusal([&] { model.prepare({batch_size, Precision::kFloat32, false}); });
    REQUIRE(error);
    CHECK(error->reason() == Reason::kOutOfMemory);
    CHECK(error->metadata().contains("bytes"));
  }
  CHECK(bit_equal(model.snapshot(), before));
  Random random(82);
  const Batch batch = random_batch(random, kImage, 2, 5, PixelFormat::kUint8);
  CHECK_NOTHROW(model.train(batch.view(), batch.labels, {{2, Precision::kFloat32, false}, 1, 0.1, 0.9, 0.0, 0}));
}

TEST_CASE("a plan for no image, or for more than can be counted, is refused") {
  const Model model(device(), layers(), kImage, 84);
  CHECK(refuses(Reason::kInvalidArgument, [&] { model.plan_memory({0, Precision::kFloat32, false}); }));
  CHECK(refuses(Reason::kInvalidArgument, [&] { model.plan_memory({-1, Precision::kFloat32, false}); }));
  CHECK(refuses(Reason::kOutOfMemory, [&] { model.plan_memory({int64_t{1} << 60, Precision::kFloat32, false}); }));
}

TEST_CASE("weights that the machine cannot hold are an error, too") {
  const auto layers_of = [](int64_t features) { return Network(3).then(FullyConnected{features, false}).classify_flat(2); };
  for (const int64_t features : {int64_t{1} << 34, int64_t{1} << 45, int64_t{1} << 61}) {
    CAPTURE(features);
    const auto error = refusal([&] { Model(device(), layers_of(features), {3, 32, 32}, 83); });
    REQUIRE(error);
    CHECK((error->reason() == Reason::kOutOfMemory || error->reason() == Reason::kInvalidGraph));
  }
}

}  // namespace
}  // namespace dl::test
