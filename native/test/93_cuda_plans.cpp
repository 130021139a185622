// Plans of the CUDA backend and their memory, without a GPU: cuDNN plans for a device that is only described.
#include <doctest/doctest.h>

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

  int64_t bytes(const PlanOptions& options, bool training) {
    const Graph graph(layers(), kImage);
    const ParameterLayout parameters(graph);
    return cuda::Plan(graph, parameters, options, training, *target_).bytes();
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

}  // namespace
}  // namespace dl::test
