// batch_size_multiplier cuts the batch, in order, into sub-batches: one update by the gradient averaged over all images. Batch
// norm sees each sub-batch by itself, so that 4 x 2 is not 8 x 1 with it, and is without it.
#include <doctest/doctest.h>

#include <cmath>

#include "test/comparison.h"
#include "test/device.h"
#include "test/model_tensors.h"
#include "test/network.h"
#include "test/refusal.h"

namespace dl::test {
namespace {

constexpr ImageShape kImage{3, 6, 6};

Network plain() {
  return Network(3)
      .then(convolution(64, 3, 1, 1, 1, true))
      .then(Relu{})
      .then(Dropout{0.3})
      .then(convolution(64, 3, 1, 1, 1, true))
      .then(convolution(9));
}
Network normalized() { return Network(3).then(convolution(16)).then(BatchNorm{}).then(Relu{}).then(convolution(9)); }

struct Outcome {
  StepResult result;
  std::vector<NamedTensor> tensors;
};

Outcome step(const std::vector<Layer>& layers, int64_t batch_size, int64_t multiplier) {
  Random random(31);
  Model model(device(), layers, kImage, 31);
  randomize(model, random);
  const Batch batch = random_batch(random, kImage, 8, 4, PixelFormat::kUint8);
  const StepResult result =
      model.train(batch.view(), batch.labels, {{batch_size, Precision::kFloat32, true}, multiplier, 0.5, 0.9, 0.01, 3});
  return {result, model.snapshot()};
}

/// The greatest |a - b| over the momentum, by the greatest |b|.
double momentum_distance(const std::vector<NamedTensor>& a, const std::vector<NamedTensor>& b) {
  double largest = 0;
  double difference = 0;
  for (const NamedTensor& expected : b) {
    if (expected.role != TensorRole::kMomentum) continue;
    const NamedTensor& actual = find(a, expected.name, TensorRole::kMomentum);
    for (size_t i = 0; i < expected.values.size(); ++i) {
      largest = std::max(largest, std::abs(static_cast<double>(expected.values[i])));
      difference =
          std::max(difference, std::abs(static_cast<double>(actual.values[i]) - static_cast<double>(expected.values[i])));
    }
  }
  return difference / largest;
}

TEST_CASE("without batch norm 4 x 2 and 2 x 4 and 1 x 8 are 8 x 1, dropout included") {
  const Outcome whole = step(plain().classify(4), 8, 1);
  for (const int64_t batch_size : {4, 2, 1}) {
    CAPTURE(batch_size);
    const Outcome parts = step(plain().classify(4), batch_size, 8 / batch_size);
    CHECK(momentum_distance(parts.tensors, whole.tensors) < 1e-5);
    CHECK(parts.result.loss == doctest::Approx(whole.result.loss).epsilon(1e-6));
    CHECK(parts.result.loss_regularization == doctest::Approx(whole.result.loss_regularization).epsilon(1e-9));
    CHECK(parts.result.gradient_norm == doctest::Approx(whole.result.gradient_norm).epsilon(1e-5));
    CHECK(parts.result.top1_error == whole.result.top1_error);
  }
}

TEST_CASE("with batch norm 4 x 2 is not 8 x 1") {
  const Outcome whole = step(normalized().classify(4), 8, 1);
  const Outcome parts = step(normalized().classify(4), 4, 2);
  CHECK(momentum_distance(parts.tensors, whole.tensors) > 1e-3);
  CHECK(std::abs(parts.result.loss - whole.result.loss) > 1e-5);
}

TEST_CASE("with batch norm 4 x 2 is what the reference makes of two sub-batches, running statistics included") {
  check_against_reference({"4 x 2", kImage, 4, normalized().classify(4), PixelFormat::kUint8, 2}, 32);
  check_against_reference({"2 x 3", kImage, 2, normalized().classify(4), PixelFormat::kFloat32, 3}, 33);
}

TEST_CASE("a batch that is not batch_size * batch_size_multiplier images is refused and changes nothing") {
  Random random(34);
  Model model(device(), plain().classify(4), kImage, 34);
  const std::vector<NamedTensor> before = model.snapshot();
  for (const int64_t count : {7, 9, 4, 0}) {
    const Batch batch = random_batch(random, kImage, count, 4, PixelFormat::kUint8);
    CHECK(refuses(Reason::kInvalidArgument, [&] {
      model.train(batch.view(), batch.labels, {{4, Precision::kFloat32, false}, 2, 0.1, 0.9, 0, 0});
    }));
  }
  CHECK(bit_equal(model.snapshot(), before));
}

}  // namespace
}  // namespace dl::test
