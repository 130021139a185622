// A step whose loss or gradient is not finite is refused: every tensor stays as it was, bit by bit, and training can go on.
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

constexpr ImageShape kImage{3, 6, 6};

std::vector<Layer> small_network() {
  return Network(3)
      .then(convolution(16))
      .then(BatchNorm{})
      .then(Relu{})
      .then(Dropout{0.2})
      .then(convolution(5, 3, 1, 1, 1, true))
      .classify(3);
}

TrainOptions options(double learning_rate, uint64_t step, int64_t multiplier = 1) {
  return {{4, Precision::kFloat32, true}, multiplier, learning_rate, 0.9, 0, step};
}

TEST_CASE("a huge learning rate ends in a refused step that changes nothing") {
  Random random(40);
  Model model(device(), small_network(), kImage, 40);
  const Batch batch = random_batch(random, kImage, 4, 3, PixelFormat::kUint8);
  std::vector<NamedTensor> before = model.snapshot();
  bool refused = false;
  for (uint64_t step = 0; step < 20 && !refused; ++step) {
    before = model.snapshot();
    const auto error = refusal([&] { model.train(batch.view(), batch.labels, options(1e20, step)); });
    refused = error.has_value();
    if (!refused) continue;
    CHECK(error->reason() == Reason::kStepDiverged);
    CHECK(error->metadata().contains("loss"));
    CHECK(error->metadata().contains("gradient_norm"));
  }
  CHECK(refused);
  CHECK(bit_equal(model.snapshot(), before));
}

TEST_CASE("an update never leaves values that are not finite behind") {
  Random random(41);
  Model model(device(), small_network(), kImage, 41);
  const Batch batch = random_batch(random, kImage, 4, 3, PixelFormat::kUint8);
  const std::vector<NamedTensor> before = model.snapshot();
  const auto error = refusal([&] { model.train(batch.view(), batch.labels, options(1e300, 0)); });
  if (error) {
    CHECK(bit_equal(model.snapshot(), before));
  } else {
    for (const NamedTensor& tensor : model.snapshot())
      for (const float value : tensor.values) REQUIRE(std::isfinite(value));
  }
}

TEST_CASE("a learning rate beyond float32 is refused where the gradient is zero, too") {
  Random random(45);
  Model model(device(), small_network(), kImage, 45);
  const Batch batch = random_batch(random, kImage, 4, 3, PixelFormat::kUint8);
  const std::vector<NamedTensor> before = model.snapshot();
  TrainOptions weightless = options(1e39, 0);
  weightless.class_weights = std::vector<double>(3, 0.0);
  CHECK(refuses(Reason::kStepDiverged, [&] { model.train(batch.view(), batch.labels, weightless); }));
  CHECK(bit_equal(model.snapshot(), before));
  weightless.learning_rate = 1e30;
  CHECK_NOTHROW(model.train(batch.view(), batch.labels, weightless));
}

TEST_CASE("running statistics that would not be finite are refused, though the loss is") {
  Random random(46);
  Model model(device(), small_network(), kImage, 46);
  const Batch batch = random_batch(random, kImage, 4, 3, PixelFormat::kUint8);
  std::vector<NamedTensor> tensors = model.snapshot();
  for (NamedTensor& tensor : tensors) {
    if (tensor.name != "convolution1.weight" || tensor.role != TensorRole::kWeight) continue;
    for (float& value : tensor.values) value *= 1e21f;
  }
  model.restore(tensors);
  CHECK(refuses(Reason::kStepDiverged, [&] { model.train(batch.view(), batch.labels, options(1e-3, 0)); }));
  CHECK(bit_equal(model.snapshot(), tensors));
}

TEST_CASE("weights that are not finite are refused by the step") {
  Random random(42);
  Model model(device(), small_network(), kImage, 42);
  const Batch batch = random_batch(random, kImage, 4, 3, PixelFormat::kUint8);
  std::vector<NamedTensor> poisoned = model.snapshot();
  for (NamedTensor& tensor : poisoned)
    if (tensor.name == "convolution5.weight" && tensor.role == TensorRole::kWeight)
      tensor.values[7] = std::numeric_limits<float>::quiet_NaN();
  model.restore(poisoned);
  CHECK(refuses(Reason::kStepDiverged, [&] { model.train(batch.view(), batch.labels, options(0.1, 0)); }));
  CHECK(bit_equal(model.snapshot(), poisoned));
}

TEST_CASE("when only the second sub-batch diverges, the running statistics of the first are put back, too") {
  const std::vector<Layer> layers =
      Network(3).then(BatchNorm{}).then(convolution(4, 3, 1, 1, 1, true)).then(Relu{}).classify_flat(3);
  Model model(device(), layers, kImage, 43);
  // Equal images are normalised to 0 up to rounding: the biases keep the ReLU shut. A bright image among dark ones is normalised
  // to 1.7 and overflows: 27 * 1.7 * 2e37 is beyond float32.
  std::vector<NamedTensor> tensors = model.snapshot();
  for (NamedTensor& tensor : tensors) {
    if (tensor.role == TensorRole::kMomentum || !tensor.name.starts_with("convolution")) continue;
    for (float& value : tensor.values) value = tensor.role == TensorRole::kWeight ? 2e37f : -1e35f;
  }
  model.restore(tensors);
  const std::vector<NamedTensor> before = model.snapshot();

  reference::Tensor images(8, 3, 6, 6);
  // The first four are equal, of the last four one is bright.
  for (size_t i = images.values.size() * 7 / 8; i < images.values.size(); ++i) images.values[i] = 128;
  const Batch batch = make_batch(images, {0, 1, 2, 0, 1, 2, 0, 1}, PixelFormat::kUint8);
  const Batch harmless = make_batch(reference::Tensor(8, 3, 6, 6), batch.labels, PixelFormat::kUint8);

  CHECK(refuses(Reason::kStepDiverged, [&] { model.train(batch.view(), batch.labels, options(1e-3, 0, 2)); }));
  CHECK(bit_equal(model.snapshot(), before));
  CHECK_NOTHROW(model.train(harmless.view(), harmless.labels, options(1e-3, 0, 2)));
  CHECK_FALSE(bit_equal(model.snapshot(), before));
}

TEST_CASE("after a refused step training goes on as if it had never been tried") {
  Random random(44);
  Model model(device(), small_network(), kImage, 44);
  Model twin(device(), small_network(), kImage, 44);
  const Batch first = random_batch(random, kImage, 4, 3, PixelFormat::kUint8);
  const Batch second = random_batch(random, kImage, 4, 3, PixelFormat::kFloat32);
  Batch broken = random_batch(random, kImage, 4, 3, PixelFormat::kFloat32);
  const float nan = std::numeric_limits<float>::quiet_NaN();
  std::memcpy(&broken.pixels[sizeof nan * 17], &nan, sizeof nan);
  for (Model* each : {&model, &twin}) {
    each->train(first.view(), first.labels, options(0.1, 0));
    if (each == &model)
      CHECK(refuses(Reason::kImageOutOfRange, [&] { each->train(broken.view(), broken.labels, options(0.1, 1)); }));
    each->train(second.view(), second.labels, options(0.1, 1));
  }
  CHECK(bit_equal(model.snapshot(), twin.snapshot()));
}

}  // namespace
}  // namespace dl::test
