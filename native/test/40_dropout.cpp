// Dropout: the masks are those that engine/random.h and the reference define, and their shares are right.
#include <doctest/doctest.h>

#include <cmath>

#include "reference/layers.h"
#include "test/batch.h"
#include "test/device.h"
#include "test/model_tensors.h"
#include "test/network.h"

namespace dl::test {
namespace {

constexpr ImageShape kImage{3, 12, 11};

/// The mask of one step as the engine applies it to images of ones: the gradient of a fully connected weight is
/// dlogit[class] * value * mask[value], summed over the images; with one image it shows its mask.
std::vector<bool> kept_values(uint64_t seed, uint64_t step, double probability, Precision precision = Precision::kFloat32) {
  Model model(device(), Network(3).then(Dropout{probability}).classify_flat(2), kImage, seed);
  reference::Tensor images(1, 3, kImage.height, kImage.width);
  for (double& value : images.values) value = 100;
  const Batch batch = make_batch(images, {1}, PixelFormat::kUint8);
  model.train(batch.view(), batch.labels, {{1, precision, false}, 1, 1.0, 0.0, 0.0, step});
  const std::vector<NamedTensor> snapshot = model.snapshot();
  const std::vector<float>& gradient = find(snapshot, "fully_connected2.weight", TensorRole::kMomentum).values;
  std::vector<bool> kept;
  for (int64_t i = 0; i < kImage.size(); ++i) kept.push_back(gradient[i] != 0);
  return kept;
}

std::vector<bool> reference_mask(uint64_t seed, uint64_t step, double probability) {
  const reference::Tensor image(1, kImage.channels, kImage.height, kImage.width);
  std::vector<bool> kept;
  for (const double value : reference::dropout_mask(image, Dropout{probability}, {seed, 1, step, 0}).values)
    kept.push_back(value != 0);
  return kept;
}

TEST_CASE("the engine's masks are the reference's for seeds and steps of any size") {
  for (const uint64_t seed : {uint64_t{0}, uint64_t{1}, uint64_t{0xfedcba9876543210}})
    for (const uint64_t step : {uint64_t{0}, uint64_t{1}, uint64_t{4000000000}, (uint64_t{1} << 32) + 3})
      for (const double probability : {0.1, 0.5, 0.9}) {
        CAPTURE(seed);
        CAPTURE(step);
        CAPTURE(probability);
        CHECK(kept_values(seed, step, probability) == reference_mask(seed, step, probability));
      }
}

TEST_CASE("masks differ between steps and between seeds") {
  CHECK(kept_values(1, 0, 0.5) != kept_values(1, 1, 0.5));
  CHECK(kept_values(1, 0, 0.5) != kept_values(2, 0, 0.5));
  CHECK(kept_values(1, 0, 0.5) == kept_values(1, 0, 0.5));
}

TEST_CASE("the share of dropped values is the probability, within five standard deviations") {
  const reference::Tensor image(8, 16, 32, 32);
  for (const double probability : {0.1, 0.3, 0.5, 0.8}) {
    const reference::Tensor mask = reference::dropout_mask(image, Dropout{probability}, {5, 3, 9, 0});
    double dropped = 0;
    double sum = 0;
    for (const double value : mask.values) {
      dropped += value == 0 ? 1 : 0;
      sum += value;
    }
    const auto count = static_cast<double>(mask.values.size());
    const double deviation = std::sqrt(probability * (1 - probability) / count);
    CHECK(std::abs(dropped / count - probability) < 5 * deviation);
    CHECK(std::abs(sum / count - 1) < 5 * deviation / (1 - probability));
  }
}

TEST_CASE("neighbouring values, images and steps are independent of each other, within five standard deviations") {
  const reference::Tensor image(4, 8, 32, 32);
  const reference::Values mask = reference::dropout_mask(image, Dropout{0.5}, {6, 2, 0, 0}).values;
  const reference::Values next_step = reference::dropout_mask(image, Dropout{0.5}, {6, 2, 1, 0}).values;
  const reference::Values next_node = reference::dropout_mask(image, Dropout{0.5}, {6, 3, 0, 0}).values;
  const auto correlation = [&](const reference::Values& other, size_t shift) {
    double sum = 0;
    for (size_t i = 0; i + shift < mask.size(); ++i) sum += (mask[i] - 1) * (other[i + shift] - 1);
    return std::abs(sum) / std::sqrt(static_cast<double>(mask.size()));
  };
  for (const size_t shift : {1, 2, 3, 4, 32, 1024, 8192}) CHECK(correlation(mask, shift) < 5);
  CHECK(correlation(next_step, 0) < 5);
  CHECK(correlation(next_node, 0) < 5);
}

}  // namespace
}  // namespace dl::test
