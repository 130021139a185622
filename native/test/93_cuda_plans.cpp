// Plans of the CUDA backend and their memory, without a GPU: cuDNN plans for a device that is only described.
#include <doctest/doctest.h>

#include <algorithm>

#include "cuda/plan.h"
#include "engine/error.h"
#include "test/h100.h"
#include "test/network.h"

namespace dl::test {
namespace {

constexpr ImageShape kImage{3, 32, 32};

std::vector<Layer> layers() {
  Network network(3);
  network.then(convolution(16, 3, 2)).then(BatchNorm{}).then(Relu{});
  const std::string stem = network.last();
  network.then(convolution(16)).then(BatchNorm{}).join(Add{}, {network.last(), stem}).then(Relu{});
  return network.then(pool(Pool::Kind::kMax, 2, 2)).then(Dropout{0.2}).classify(5);
}

/// Bytes of a plan; nothing where cuDNN is missing.
class Planner {
 public:
  bool usable() {
    try {
      if (!target_) target_.emplace(132, cuda::device_properties(kH100), cuda::ChoiceCache({}, ""));
      return true;
    } catch (const Error& error) {
      MESSAGE("not examined: " << std::string(error.what()));
      return false;
    }
  }

  int64_t bytes(const PlanOptions& options, bool training) { return bytes(Graph(layers(), kImage), options, training); }
  int64_t bytes(const Graph& graph, const PlanOptions& options, bool training) {
    const ParameterLayout parameters(graph);
    return cuda::Plan(graph, parameters, options, training, *target_).bytes();
  }

  /// Scratch memory of the greediest candidate of all that plans have asked for.
  int64_t most_workspace() const {
    int64_t bytes = 0;
    for (const auto& [key, asked] : target_->asked())
      for (const cuda::Candidate& candidate : asked.candidates) bytes = std::max(bytes, candidate.workspace_bytes);
    return bytes;
  }

 private:
  std::optional<cuda::Target> target_;
};

TEST_CASE("memory is known without a device, is the same again, and grows with the batch") {
  Planner planner;
  if (!planner.usable()) return;
  for (const Precision precision : {Precision::kFloat32, Precision::kTf32, Precision::kBfloat16})
    for (const bool training : {false, true}) {
      const int64_t small = planner.bytes({4, precision, false}, training);
      CHECK(small == planner.bytes({4, precision, false}, training));
      const int64_t large = planner.bytes({4096, precision, false}, training);
      // What every plan holds of each image: its pixels in float32.
      CHECK(large - small >= 4092 * kImage.size() * 4);
    }
}

TEST_CASE("activations in bfloat16, frozen layers and applying need less") {
  Planner planner;
  if (!planner.usable()) return;
  const PlanOptions plan{4096, Precision::kTf32, false};
  PlanOptions half = plan;
  half.precision = Precision::kBfloat16;
  PlanOptions frozen = plan;
  frozen.frozen_layers = {"convolution1", "batch_norm2", "convolution4", "batch_norm5"};
  CHECK(planner.bytes(half, true) < planner.bytes(plan, true));
  CHECK(planner.bytes(frozen, true) < planner.bytes(plan, true));
  CHECK(planner.bytes(plan, false) < planner.bytes(plan, true));
}

TEST_CASE("scratch memory is part of the plan, however much a convolution wants") {
  Planner planner;
  if (!planner.usable()) return;
  constexpr int64_t kBatch = 256;
  const Graph graph(Network(3).then(convolution(64, 7, 2)).then(pool(Pool::Kind::kMax, 2, 2)).classify(5), {3, 224, 224});
  const int64_t bytes = planner.bytes(graph, {kBatch, Precision::kTf32, false}, true);
  const int64_t scratch = planner.most_workspace();  // 1 GiB in cuDNN 9.24
  // Beside the pixels, their first activation with a padded channel, and the convolution's output or its gradient.
  CHECK(bytes >= kBatch * 4 * (224 * 224 * (3 + 4) + 112 * 112 * 64) + scratch);
}

}  // namespace
}  // namespace dl::test
