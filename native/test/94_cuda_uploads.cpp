// Uploads of the CUDA backend beside its computations, on streams that are as early or as late as they may be: what is not put in
// order by events is seen by wrong pixels. The next step's pixels, fetched while a step computes, change no bit.
#include <doctest/doctest.h>

#include <array>
#include <memory>

#include "cuda/device.h"
#include "cuda/runtime/memory.h"
#include "engine/upcoming_batches.h"
#include "test/batch.h"
#include "test/cuda_on_host/streams.h"
#include "test/device.h"
#include "test/h100.h"
#include "test/model_tensors.h"
#include "test/network.h"
#include "test/refusal.h"

namespace dl::test {
namespace {

constexpr ImageShape kImage{3, 8, 8};
constexpr int64_t kClasses = 4;
constexpr uint64_t kSteps = 4;

std::vector<Layer> layers() {
  Network network(3);
  network.then(convolution(8)).then(BatchNorm{}).then(Relu{}).then(Dropout{0.3});
  return network.classify(kClasses);
}

const cuda::Handles& handles() { return static_cast<cuda::CudaDevice&>(device()).handles(); }

/// The streams' pace, for as long as this lives.
class Paced {
 public:
  Paced(Pace compute, Pace copy) { set(compute, copy); }
  ~Paced() { set(Pace::kAtOnce, Pace::kAtOnce); }
  Paced(const Paced&) = delete;
  Paced& operator=(const Paced&) = delete;

 private:
  static void set(Pace compute, Pace copy) {
    set_pace(handles().compute(), compute);
    set_pace(handles().copy(), copy);
  }
};

/// A batch with a name, which can be announced and taken back.
struct NamedBatch {
  NamedBatch(uint64_t name, const Batch& batch)
      : id(name),
        format(batch.format),
        count(batch.images.n),
        labels(batch.labels),
        pixels(std::make_shared<Pixels>(batch.pixels)) {}

  using Pixels = std::vector<std::byte>;

  ImageBatch view() const { return {format, count, *pixels, id}; }
  void announce(UpcomingBatches& upcoming) const { upcoming.announce(view(), pixels); }

  uint64_t id;
  PixelFormat format;
  int64_t count;
  std::vector<int32_t> labels;
  std::shared_ptr<Pixels> pixels;
};

NamedBatch batch_of(uint64_t step, int64_t count, PixelFormat format) {
  Random random(900 + step);
  return {step + 1, random_batch(random, kImage, count, kClasses, format)};
}

constexpr int64_t kBatchSize = 3;

void train(Model& model, const NamedBatch& batch, uint64_t step, UpcomingBatches* upcoming, int64_t batch_size = kBatchSize) {
  if (upcoming != nullptr) upcoming->begin(batch.id);
  TrainOptions options{{batch_size, Precision::kFloat32, true}, batch.count / batch_size, 0.05, 0.9, 0.001, step};
  options.upcoming = upcoming;
  model.train(batch.view(), batch.labels, options);
}

struct Outcome {
  std::vector<NamedTensor> tensors;
  std::vector<float> confidences;
};

/// Some steps, and the network applied before the last one and at the end.
Outcome run(int64_t count, PixelFormat format, UpcomingBatches* upcoming) {
  Model model(device(), layers(), kImage, 7);
  Outcome outcome;
  std::optional<NamedBatch> batch = batch_of(0, count, format);
  for (uint64_t step = 0; step < kSteps; ++step) {
    const NamedBatch next = batch_of(step + 1, count, format);
    if (upcoming != nullptr) next.announce(*upcoming);
    train(model, *batch, step, upcoming);
    if (step + 2 == kSteps) model.apply(batch->view(), {kBatchSize, Precision::kFloat32, true});
    batch = next;
  }
  outcome.confidences = model.apply(batch->view(), {2, Precision::kFloat32, true});
  outcome.tensors = model.snapshot();
  return outcome;
}

void check_equal(const Outcome& a, const Outcome& b) {
  CHECK(bit_equal(a.tensors, b.tensors));
  CHECK(a.confidences == b.confidences);
}

TEST_CASE("whenever the streams do their work, with fetched pixels and without, a step is the same bit by bit") {
  for (const PixelFormat format : {PixelFormat::kUint8, PixelFormat::kFloat32})
    for (const int64_t sub_batches : {1, 3}) {
      const Outcome expected = run(sub_batches * kBatchSize, format, nullptr);
      for (const Pace compute : {Pace::kAtOnce, Pace::kLate})
        for (const Pace copy : {Pace::kAtOnce, Pace::kLate})
          for (const bool fetches : {false, true}) {
            CAPTURE(sub_batches);
            CAPTURE(compute);
            CAPTURE(copy);
            CAPTURE(fetches);
            const Paced paced(compute, copy);
            UpcomingBatches upcoming;
            check_equal(run(sub_batches * kBatchSize, format, fetches ? &upcoming : nullptr), expected);
          }
    }
}

/// A model that has made one step while `announce` told it of others, and one that made the same step alone.
struct Pair {
  explicit Pair(const std::function<void(UpcomingBatches&)>& announce) {
    announce(upcoming);
    train(told, batch_of(0, 2 * kBatchSize, PixelFormat::kUint8), 0, &upcoming);
    train(alone, batch_of(0, 2 * kBatchSize, PixelFormat::kUint8), 0, nullptr);
  }

  /// Another step of both. @param fetched whether the first sub-batch's pixels are there already: those given are wrong then.
  void check_step(const NamedBatch& batch, bool fetched, int64_t batch_size = kBatchSize) {
    NamedBatch given = batch;
    given.pixels = std::make_shared<NamedBatch::Pixels>(*batch.pixels);
    if (fetched) std::fill_n(given.pixels->begin(), static_cast<size_t>(batch_size * kImage.size()), std::byte{7});
    train(told, given, 1, &upcoming, batch_size);
    train(alone, batch, 1, nullptr, batch_size);
    CHECK(bit_equal(told.snapshot(), alone.snapshot()));
  }

  UpcomingBatches upcoming;
  Model told{device(), layers(), kImage, 7};
  Model alone{device(), layers(), kImage, 7};
};

TEST_CASE("the first sub-batch of the next step is fetched while a step computes, and not again by its own") {
  for (const Pace copy : {Pace::kAtOnce, Pace::kLate}) {
    const Paced paced(Pace::kLate, copy);
    const NamedBatch next = batch_of(1, 2 * kBatchSize, PixelFormat::kUint8);
    Pair pair([&](UpcomingBatches& upcoming) { next.announce(upcoming); });
    CHECK(next.pixels.use_count() == 1);  // nobody holds them any longer
    pair.check_step(next, true);
  }
}

TEST_CASE("of several batches the one announced first is fetched, unless it was taken back") {
  const NamedBatch next = batch_of(2, 2 * kBatchSize, PixelFormat::kUint8),
                   last = batch_of(3, 2 * kBatchSize, PixelFormat::kUint8);
  std::optional<NamedBatch> dropped = batch_of(1, 2 * kBatchSize, PixelFormat::kUint8);
  Pair pair([&](UpcomingBatches& upcoming) {
    for (const NamedBatch& batch : {*dropped, next, last}) batch.announce(upcoming);
    dropped.reset();
  });
  pair.check_step(next, true);
}

TEST_CASE("a batch that is fetched and does not come leaves nothing behind") {
  std::optional<NamedBatch> dropped = batch_of(1, 2 * kBatchSize, PixelFormat::kUint8);
  Pair pair([&](UpcomingBatches& upcoming) { dropped->announce(upcoming); });
  dropped.reset();
  pair.check_step(batch_of(2, 2 * kBatchSize, PixelFormat::kUint8), false);
}

TEST_CASE("a batch that nobody named is never taken for a fetched one") {
  NamedBatch next = batch_of(1, 2 * kBatchSize, PixelFormat::kUint8);
  Pair pair([&](UpcomingBatches& upcoming) { next.announce(upcoming); });
  next.id = 0;
  for (std::byte& value : *next.pixels) value ^= std::byte{0xff};
  pair.check_step(next, false);
}

TEST_CASE("a batch that is too small for the step is not fetched") {
  const NamedBatch small = batch_of(1, kBatchSize - 1, PixelFormat::kUint8);
  Pair pair([&](UpcomingBatches& upcoming) { small.announce(upcoming); });
  pair.check_step(batch_of(2, 2 * kBatchSize, PixelFormat::kUint8), false);
}

TEST_CASE("with another plan, pixels are fetched anew") {
  const NamedBatch next = batch_of(1, 2 * kBatchSize, PixelFormat::kUint8);
  Pair pair([&](UpcomingBatches& upcoming) { next.announce(upcoming); });
  pair.check_step(next, false, 2 * kBatchSize);
}

TEST_CASE("another solver, applying and other weights do not touch what was fetched") {
  const NamedBatch next = batch_of(1, 2 * kBatchSize, PixelFormat::kUint8);
  Pair pair([&](UpcomingBatches& upcoming) { next.announce(upcoming); });
  for (Model* model : {&pair.told, &pair.alone}) {
    model->set_solver(Solver::kAdam);
    model->apply(batch_of(9, 5, PixelFormat::kFloat32).view(), {kBatchSize, Precision::kFloat32, true});
    model->restore({find(model->snapshot(), "convolution1.weight", TensorRole::kWeight)});
  }
  pair.check_step(next, true);
}

TEST_CASE("a copy of upcoming pixels that is refused costs the step under way nothing, and the next one makes it itself") {
  const NamedBatch next = batch_of(1, kBatchSize, PixelFormat::kUint8);
  Pair pair([](UpcomingBatches&) {});
  next.announce(pair.upcoming);
  const NamedBatch now = batch_of(5, kBatchSize, PixelFormat::kUint8);
  // The step's own pixels go up first.
  const Paced paced(Pace::kLate, Pace::kAtOnce);
  refuse_copy(handles().copy(), cudaErrorNotSupported, 1);
  pair.check_step(now, false);
  pair.check_step(next, false);
}

TEST_CASE("a device that is lost while it fetches is lost") {
  auto target = std::make_unique<cuda::Target>(3, cuda::device_properties(kH100), cuda::ChoiceCache({}, ""));
  DeviceInfo info;
  info.precisions = {Precision::kFloat32};
  cuda::CudaDevice device(std::move(info), std::move(target));
  device.begin(1);
  Model model(device, layers(), kImage, 7);
  UpcomingBatches upcoming;
  const NamedBatch now = batch_of(0, kBatchSize, PixelFormat::kUint8), next = batch_of(1, kBatchSize, PixelFormat::kUint8);
  next.announce(upcoming);
  refuse_copy(device.handles().copy(), cudaErrorIllegalAddress, 1);
  CHECK(refuses(Reason::kDeviceLost, [&] { train(model, now, 0, &upcoming); }));
  CHECK(refuses(Reason::kDeviceLost, [&] { train(model, next, 0, &upcoming); }));
}

TEST_CASE("pixels of a later sub-batch do not wait for the one before to be computed") {
  // They fill three of the four slots of the ring.
  const int64_t kImages = 5 * cuda::Transfer::kSlotBytes / 2 / (kImage.size() * 4);
  Model model(device(), Network(3).classify(kClasses), kImage, 7);
  const NamedBatch batch = batch_of(0, 2 * kImages, PixelFormat::kFloat32);
  const uint64_t before = pieces_awaited(handles().compute());
  const Paced paced(Pace::kLate, Pace::kAtOnce);
  train(model, batch, 0, nullptr, kImages);
  // What comes before the first sub-batch's layers: class weights, inputs, labels, the wait for its pixels, their conversion.
  CHECK(pieces_awaited(handles().compute()) - before <= 5);
}

TEST_CASE("pieces of any size go up one after the other, across the slots of the ring") {
  cuda::Transfer& transfer = static_cast<cuda::CudaDevice&>(device()).transfer();
  constexpr auto kSlot = static_cast<size_t>(cuda::Transfer::kSlotBytes);
  for (const std::vector<size_t>& sizes :
       {std::vector<size_t>{0}, {5, 0, 3}, {kSlot - 1, 2, kSlot, 1, 3 * kSlot + 7}, {2 * kSlot, kSlot}}) {
    std::vector<std::vector<std::byte>> memory;
    std::vector<std::byte> expected;
    for (const size_t size : sizes) {
      std::vector<std::byte>& piece = memory.emplace_back(size);
      for (size_t i = 0; i < size; ++i) piece[i] = static_cast<std::byte>((expected.size() + i) * 37 >> 5);
      expected.insert(expected.end(), piece.begin(), piece.end());
    }
    const std::vector<std::span<const std::byte>> pieces(memory.begin(), memory.end());
    const cuda::DeviceMemory target(static_cast<int64_t>(expected.size()) + 1);
    transfer.upload(pieces, target.data(), handles().copy());
    std::vector<std::byte> found(expected.size());
    transfer.download(target.data(), found.data(), static_cast<int64_t>(found.size()), handles().copy());
    CHECK(found == expected);
  }
}

}  // namespace
}  // namespace dl::test
