// Images, labels and options that cannot be right are refused, each with its reason, and change nothing.
#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <limits>

#include "test/batch.h"
#include "test/device.h"
#include "test/model_tensors.h"
#include "test/network.h"
#include "test/refusal.h"

namespace dl::test {
namespace {

constexpr ImageShape kImage{3, 5, 4};
constexpr int64_t kValuesPerImage = 60;

struct Fixture {
  Fixture()
      : random(50),
        model(device(), Network(3).then(convolution(6)).then(BatchNorm{}).classify(3), kImage, 50),
        before(model.snapshot()) {}

  Batch batch(PixelFormat format, int64_t count = 4) { return random_batch(random, kImage, count, 3, format); }
  /// Whether training and the rest of the call throws this reason and leaves the model as it was.
  bool refuses_step(Reason reason, const Batch& batch, const TrainOptions& options) {
    return refuses(reason, [&] { model.train(batch.view(), batch.labels, options); }) && bit_equal(model.snapshot(), before);
  }

  TrainOptions options{{4, Precision::kFloat32, false}, 1, 0.1, 0.9, 0.01, 0};
  Random random;
  Model model;
  std::vector<NamedTensor> before;
};

TEST_CASE_FIXTURE(Fixture,
                  "a float image with NaN, infinity or a value outside -127..128 is out of range, in training and applying") {
  for (const float value : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(),
                            -std::numeric_limits<float>::infinity(), 128.5f, -127.25f, 1e30f}) {
    for (const int64_t place : {int64_t{0}, 2 * kValuesPerImage + 13, 4 * kValuesPerImage - 1}) {
      CAPTURE(value);
      CAPTURE(place);
      Batch bad = batch(PixelFormat::kFloat32);
      std::memcpy(&bad.pixels[place * sizeof value], &value, sizeof value);
      CHECK(refuses_step(Reason::kImageOutOfRange, bad, options));
      const auto error = refusal([&] { model.apply(bad.view(), options.plan); });
      REQUIRE(error);
      CHECK(error->reason() == Reason::kImageOutOfRange);
      CHECK(error->metadata().at("image") == std::to_string(place / kValuesPerImage));
      CHECK(error->metadata().contains("value"));
    }
  }
}

TEST_CASE_FIXTURE(Fixture, "the ends of the range are inside") {
  Batch edge = batch(PixelFormat::kFloat32);
  for (const float value : {-127.0f, 128.0f}) {
    std::memcpy(&edge.pixels[0], &value, sizeof value);
    CHECK_NOTHROW(model.train(edge.view(), edge.labels, options));
  }
}

TEST_CASE_FIXTURE(Fixture, "labels below 0, of a class that is not there, or too few") {
  Batch bad = batch(PixelFormat::kUint8);
  bad.labels[2] = 3;
  CHECK(refuses_step(Reason::kInvalidArgument, bad, options));
  bad.labels[2] = -1;
  CHECK(refuses_step(Reason::kInvalidArgument, bad, options));
  bad.labels.resize(3, 0);
  CHECK(refuses_step(Reason::kInvalidArgument, bad, options));
}

TEST_CASE_FIXTURE(Fixture, "pixels that are not count * height * width * channels") {
  Batch bad = batch(PixelFormat::kUint8);
  bad.pixels.pop_back();
  CHECK(refuses_step(Reason::kInvalidArgument, bad, options));
  CHECK(refuses(Reason::kInvalidArgument, [&] { model.apply(bad.view(), options.plan); }));
  bad = batch(PixelFormat::kUint8);
  bad.format = PixelFormat::kFloat32;
  CHECK(refuses_step(Reason::kInvalidArgument, bad, options));
  for (const int64_t count : {int64_t{-4}, int64_t{0}, int64_t{1} << 62, int64_t{4} + (int64_t{1} << 62)}) {
    ImageBatch wrong_count = bad.view();
    wrong_count.count = count;
    CHECK(refuses(Reason::kInvalidArgument, [&] { model.apply(wrong_count, options.plan); }));
  }
}

TEST_CASE_FIXTURE(Fixture, "options out of their ranges") {
  const Batch good = batch(PixelFormat::kUint8);
  const auto refused_with = [&](auto change) {
    TrainOptions changed = options;
    change(changed);
    return refuses_step(Reason::kInvalidArgument, good, changed);
  };
  const double nan = std::numeric_limits<double>::quiet_NaN();
  CHECK(refused_with([](TrainOptions& o) { o.plan.batch_size = 0; }));
  CHECK(refused_with([](TrainOptions& o) { o.plan.batch_size = -4; }));
  CHECK(refused_with([](TrainOptions& o) { o.batch_size_multiplier = 0; }));
  CHECK(refused_with([](TrainOptions& o) { o.batch_size_multiplier = -1; }));
  CHECK(refused_with([](TrainOptions& o) { o.batch_size_multiplier = (int64_t{1} << 62) + 1; }));
  CHECK(refused_with([&](TrainOptions& o) { o.learning_rate = nan; }));
  CHECK(refused_with([](TrainOptions& o) { o.learning_rate = -0.1; }));
  CHECK(refused_with([&](TrainOptions& o) { o.momentum = nan; }));
  CHECK(refused_with([](TrainOptions& o) { o.momentum = 1; }));
  CHECK(refused_with([](TrainOptions& o) { o.weight_prior = -1; }));
  CHECK(refused_with([](TrainOptions& o) { o.weight_decay = -1; }));
  CHECK(refused_with([&](TrainOptions& o) { o.weight_decay = nan; }));
  CHECK(refused_with([](TrainOptions& o) { o.adam_beta1 = 1; }));
  CHECK(refused_with([](TrainOptions& o) { o.adam_beta2 = -0.1; }));
  CHECK(refused_with([](TrainOptions& o) { o.adam_epsilon = 0; }));
  CHECK(refused_with([&](TrainOptions& o) { o.adam_epsilon = nan; }));
  CHECK(refused_with([](TrainOptions& o) { o.max_gradient_norm = -1; }));
  CHECK(refused_with([&](TrainOptions& o) { o.class_weights = {1, nan, 1}; }));
  CHECK(refused_with([](TrainOptions& o) { o.plan.frozen_layers = {"nobody"}; }));
  CHECK_NOTHROW(model.train(good.view(), good.labels, options));
}

TEST_CASE_FIXTURE(Fixture, "applying takes any number of images, batch_size at a time, and pads the last ones") {
  const Batch seven = batch(PixelFormat::kUint8, 7);
  const std::vector<float> one_by_one = model.apply(seven.view(), {1, Precision::kFloat32, false});
  REQUIRE(one_by_one.size() == 21);
  for (const int64_t batch_size : {2, 3, 7, 16}) {
    const std::vector<float> together = model.apply(seven.view(), {batch_size, Precision::kFloat32, false});
    REQUIRE(together.size() == 21);
    for (size_t i = 0; i < together.size(); ++i) CHECK(together[i] == doctest::Approx(one_by_one[i]).epsilon(1e-5));
  }
  CHECK(refuses(Reason::kInvalidArgument, [&] { model.apply(batch(PixelFormat::kUint8, 0).view(), options.plan); }));
  CHECK(bit_equal(model.snapshot(), before));
}

}  // namespace
}  // namespace dl::test
