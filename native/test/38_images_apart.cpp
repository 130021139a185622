// A batch whose images lie apart is the same batch.
#include <doctest/doctest.h>

#include <cstring>

#include "test/batch.h"
#include "test/device.h"
#include "test/model_tensors.h"
#include "test/network.h"
#include "test/refusal.h"

namespace dl::test {
namespace {

constexpr ImageShape kImage{3, 9, 7};
constexpr int64_t kClasses = 4;

std::vector<Layer> layers() { return Network(3).then(convolution(8)).then(BatchNorm{}).then(Relu{}).classify(kClasses); }

/// A batch with each image in memory of its own, the last one first.
struct Apart {
  explicit Apart(const Batch& batch) {
    const ImageBatch whole = batch.view();
    const auto bytes = static_cast<size_t>(whole.image_bytes(kImage));
    for (int64_t n = 0; n < whole.count; ++n) {
      const std::byte* image = whole.image(n, kImage);
      memory.insert(memory.begin(), std::vector<std::byte>(image, image + bytes));
    }
    for (size_t n = 0; n < memory.size(); ++n) images.emplace_back(memory[memory.size() - 1 - n]);
    view = {whole.format, whole.count, {}, 0, images};
  }

  std::vector<std::vector<std::byte>> memory;
  std::vector<std::span<const std::byte>> images;
  ImageBatch view;
};

TEST_CASE("images that lie apart: steps of several sub-batches and a last sub-batch that is not full come to the same bits") {
  for (const PixelFormat format : {PixelFormat::kUint8, PixelFormat::kFloat32}) {
    Model together(device(), layers(), kImage, 5), apart(device(), layers(), kImage, 5);
    Random random(38);
    const PlanOptions plan{2, Precision::kFloat32, true};
    for (uint64_t step = 0; step < 4; ++step) {
      const Batch batch = random_batch(random, kImage, 6, kClasses, format);
      const TrainOptions options{plan, 3, 0.05, 0.9, 0.001, step};
      const double loss = together.train(batch.view(), batch.labels, options).loss;
      CHECK(apart.train(Apart(batch).view, batch.labels, options).loss == loss);
    }
    CHECK(bit_equal(apart.snapshot(), together.snapshot()));
    const Batch batch = random_batch(random, kImage, 5, kClasses, format);
    CHECK(apart.apply(Apart(batch).view, plan) == together.apply(batch.view(), plan));
  }
}

TEST_CASE("images that lie apart: a value out of range is found, and other sizes or numbers are refused") {
  Model model(device(), layers(), kImage, 5);
  Random random(39);
  const PlanOptions plan{2, Precision::kFloat32, true};
  const Batch batch = random_batch(random, kImage, 4, kClasses, PixelFormat::kFloat32);

  Apart wrong(batch);
  const float value = 129;
  std::memcpy(&wrong.memory[1][40], &value, sizeof value);
  const auto found = refusal([&] { model.apply(wrong.view, plan); });
  REQUIRE(found);
  CHECK(found->reason() == Reason::kImageOutOfRange);
  CHECK(found->metadata().at("image") == "2");

  for (const size_t bytes : {wrong.images[3].size() - 4, wrong.images[3].size() + 4}) {
    Apart other(batch);
    other.memory[0].resize(bytes);
    other.images[3] = other.memory[0];
    CHECK(refusal([&] { model.apply(other.view, plan); }).value().reason() == Reason::kInvalidArgument);
  }
  Apart fewer(batch);
  fewer.view.count = 5;
  CHECK(refusal([&] { model.apply(fewer.view, plan); }).value().reason() == Reason::kInvalidArgument);
}

}  // namespace
}  // namespace dl::test
