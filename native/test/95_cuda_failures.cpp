// What the CUDA backend does where something fails beside it: the device, a library, a capture.
#include <doctest/doctest.h>

#include <functional>
#include <optional>
#include <string>
#include <thread>

#include "cuda/libraries/cublas_lt.h"
#include "cuda/libraries/cudnn.h"
#include "cuda/runtime/memory.h"
#include "cuda/runtime/repeated_work.h"
#include "cuda/runtime/stream.h"
#include "cuda/target.h"
#include "test/batch.h"
#include "test/cuda_on_host/streams.h"
#include "test/device.h"
#include "test/h100.h"
#include "test/model_tensors.h"
#include "test/network.h"
#include "test/refusal.h"

namespace dl::test {
namespace {

/// What refuses `action` on a thread whose device is lost, though nothing was heard of that before.
std::optional<Error> refusal_of_lost_device(const std::function<void()>& action) {
  std::optional<Error> error;
  std::thread([&] {
    lose_device_of_thread();
    error = refusal(action);
  }).join();
  return error;
}

TEST_CASE("a device whose loss a library notices first is lost, and a library's own failure is kInternal") {
  const auto by_cudnn = [] { cuda::check(CUDNN_STATUS_EXECUTION_FAILED, "a convolution"); };
  const auto by_cublas = [] { cuda::check(CUBLAS_STATUS_EXECUTION_FAILED, "a product"); };
  CHECK(refuses(Reason::kInternal, by_cudnn));
  for (const std::function<void()>& action : {std::function<void()>(by_cudnn), std::function<void()>(by_cublas)}) {
    const auto error = refusal_of_lost_device(action);
    REQUIRE(error);
    CHECK(error->reason() == Reason::kDeviceLost);
    CHECK(std::string(error->what()).find("cudaErrorIllegalAddress") != std::string::npos);
  }
}

TEST_CASE("what could not be planned because of the device is not taken for what cuDNN cannot compute") {
  cuda::Target target(3, cuda::device_properties(kH100), cuda::ChoiceCache({}, ""));
  cuda::ConvolutionShape impossible{.images = 1, .in = {8, 4, 4}, .out = {8, 4, 4}, .stride = {0, 0}};
  const auto error = refusal_of_lost_device([&] { target.candidates(impossible, {}); });
  REQUIRE(error);
  CHECK(error->reason() == Reason::kDeviceLost);
  CHECK(target.asked().empty());
  CHECK(target.candidates(impossible, {}).empty());
  CHECK(target.asked().size() == 1);
}

int64_t free_bytes() {
  size_t free = 0, total = 0;
  CHECK(cudaMemGetInfo(&free, &total) == cudaSuccess);
  return static_cast<int64_t>(free);
}

TEST_CASE("memory that a library wants beside a plan and does not find is kOutOfMemory, with what a plan may have") {
  const PlanOptions plan{2, Precision::kFloat32, false};
  Model model(device(), Network(3).then(convolution(8)).classify(4), {3, 8, 8}, 7);
  const int64_t bytes = model.plan_memory(plan).training_bytes;
  const int64_t free = free_bytes();
  starve_convolutions(true);
  const auto error = refusal([&] { model.prepare(plan); });
  starve_convolutions(false);
  REQUIRE(error);
  CHECK(error->reason() == Reason::kOutOfMemory);
  CHECK(error->metadata().at("bytes") == std::to_string(bytes));
  CHECK(error->metadata().at("free") == std::to_string(free - cuda::kBytesBesidePlans));
  CHECK(free_bytes() == free);
  CHECK_NOTHROW(model.prepare(plan));
}

TEST_CASE("the device is short of memory where libraries may find none") {
  CHECK_FALSE(cuda::short_of_memory());
  {
    const cuda::DeviceMemory taken(free_bytes() - cuda::kBytesBesidePlans);
    CHECK_FALSE(cuda::short_of_memory());
    const cuda::DeviceMemory more(1);
    CHECK(cuda::short_of_memory());
  }
  CHECK_FALSE(cuda::short_of_memory());
}

TEST_CASE("memory that a library says it has not found is kOutOfMemory") {
  CHECK(refuses(Reason::kOutOfMemory, [] { cuda::check(CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED, "a handle"); }));
  const auto by_cublas = refusal([] { cuda::check(CUBLAS_STATUS_ALLOC_FAILED, "a product"); });
  REQUIRE(by_cublas);
  if (by_cublas->reason() != Reason::kCublasMissing) CHECK(by_cublas->reason() == Reason::kOutOfMemory);
}

/// Work that counts how often the device has done it.
struct Counting {
  uint64_t times(int runs) {
    const uint64_t before = done;
    for (int run = 0; run < runs; ++run) work.run(stream, [&](bool captured) { enqueue_work(captured); });
    stream.synchronize();
    return done - before;
  }

  void enqueue_work(bool captured) {
    enqueue(stream, [this] { ++done; });
    if (captured && fails_in_capture) throw Error(Reason::kInternal, "a library calls what no capture allows");
  }

  cuda::Stream stream;
  cuda::RepeatedWork work;
  uint64_t done = 0;
  bool fails_in_capture = false;
};

TEST_CASE("work that is repeated is a graph from its second time on") {
  Counting counting;
  const uint64_t before = graphs_launched();
  CHECK(counting.times(5) == 5);
  CHECK(graphs_launched() - before == 4);
}

TEST_CASE("work that cannot be captured is done without a graph, until it is another") {
  for (const int stage : {-1, 0, 1, 2, 3}) {
    CAPTURE(stage);
    Counting counting;
    counting.fails_in_capture = stage < 0;
    if (stage >= 0) refuse_graph(static_cast<GraphStage>(stage), cudaErrorMemoryAllocation);
    const uint64_t before = graphs_launched();
    CHECK(counting.times(5) == 5);
    CHECK(graphs_launched() == before);
    counting.fails_in_capture = false;
    counting.work.reset();
    CHECK(counting.times(5) == 5);
    CHECK(graphs_launched() - before == 4);
  }
}

TEST_CASE("a device that is lost while work is captured is lost") {
  const auto error = refusal_of_lost_device([] {
    Counting counting;
    counting.times(2);
  });
  REQUIRE(error);
  CHECK(error->reason() == Reason::kDeviceLost);
  Counting counting;
  refuse_graph(GraphStage::kEndCapture, cudaErrorIllegalAddress);
  CHECK(refuses(Reason::kDeviceLost, [&] { counting.times(2); }));
}

TEST_CASE("steps without graphs are those with graphs, bit by bit") {
  constexpr ImageShape kImage{3, 8, 8};
  constexpr int64_t kBatch = 3;
  const auto trained = [&](uint64_t& launched) {
    Model model(device(), Network(3).then(convolution(8)).then(BatchNorm{}).then(Relu{}).then(Dropout{0.3}).classify(4), kImage,
                7);
    Random random(95);
    const uint64_t before = graphs_launched();
    for (uint64_t step = 0; step < 4; ++step) {
      const Batch batch = random_batch(random, kImage, 3 * kBatch, 4, PixelFormat::kUint8);
      model.train(batch.view(), batch.labels, {{kBatch, Precision::kFloat32, true}, 3, 0.05, 0.9, 0.001, step});
    }
    launched = graphs_launched() - before;
    return model.snapshot();
  };
  uint64_t launched = 0;
  const auto expected = trained(launched);
  CHECK(launched == 9);  // three sub-batches of three steps
  refuse_graph(GraphStage::kInstantiate, cudaErrorNotSupported);
  CHECK(bit_equal(trained(launched), expected));
  CHECK(launched == 6);
}

}  // namespace
}  // namespace dl::test
