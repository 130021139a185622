// New weights: He et al. 2015 (normal, mean 0, variance 2 / fan-in) from the seed and the tensor's name alone.
#include <doctest/doctest.h>

#include <cmath>

#include "test/batch.h"
#include "test/device.h"
#include "test/model_tensors.h"
#include "test/network.h"

namespace dl::test {
namespace {

constexpr ImageShape kImage{3, 12, 12};

std::vector<Layer> layers() {
  return Network(3)
      .then(convolution(64, 3, 1, 1, 1, true))
      .then(BatchNorm{})
      .then(Relu{})
      .then(convolution(64, 3, 1, 1, 2))
      .classify_flat(10);
}

TEST_CASE("weights have mean 0, variance 2 / fan-in and a normal's share beyond one and two deviations") {
  const Model model(device(), layers(), kImage, 90);
  for (const NamedTensor& tensor : model.snapshot()) {
    if (tensor.role != TensorRole::kWeight) continue;
    CAPTURE(tensor.name);
    const auto count = static_cast<double>(tensor.values.size());
    const double fan_in = count / static_cast<double>(tensor.shape[0]);
    double sum = 0;
    double squares = 0;
    double beyond_one = 0;
    double beyond_two = 0;
    for (const float value : tensor.values) {
      const double z = value * std::sqrt(fan_in / 2);
      sum += z;
      squares += z * z;
      beyond_one += std::abs(z) > 1 ? 1 : 0;
      beyond_two += std::abs(z) > 2 ? 1 : 0;
    }
    const double root = std::sqrt(count);
    CHECK(std::abs(sum / count) < 5 / root);
    CHECK(std::abs(squares / count - 1) < 5 * std::sqrt(2.0) / root);
    CHECK(std::abs(beyond_one / count - 0.3173) < 5 * 0.4654 / root);
    CHECK(std::abs(beyond_two / count - 0.0455) < 5 * 0.2084 / root);
  }
}

TEST_CASE("biases are 0, batch norms 1 and 0, statistics 0 and 1, momentum 0") {
  const Model model(device(), layers(), kImage, 91);
  for (const NamedTensor& tensor : model.snapshot()) {
    if (tensor.role == TensorRole::kWeight) continue;
    CAPTURE(tensor.name);
    const bool one =
        tensor.role != TensorRole::kMomentum && (tensor.name == "batch_norm2.weight" || tensor.name == "batch_norm2.running_var");
    for (const float value : tensor.values) REQUIRE(value == (one ? 1.0f : 0.0f));
  }
}

TEST_CASE("the same seed gives the same weights; another seed and another name give others") {
  const Model model(device(), layers(), kImage, 92);
  CHECK(bit_equal(model.snapshot(), Model(device(), layers(), kImage, 92).snapshot()));
  for (const uint64_t seed : {uint64_t{93}, (uint64_t{1} << 32) + 92})
    CHECK_FALSE(bit_equal(model.snapshot(), Model(device(), layers(), kImage, seed).snapshot()));
  const Model twins(device(), Network(3).then(convolution(8)).then(convolution(8)).then(convolution(8)).classify(2), kImage, 92);
  const std::vector<NamedTensor> snapshot = twins.snapshot();
  CHECK(find(snapshot, "convolution2.weight", TensorRole::kWeight).values !=
        find(snapshot, "convolution3.weight", TensorRole::kWeight).values);
}

}  // namespace
}  // namespace dl::test
