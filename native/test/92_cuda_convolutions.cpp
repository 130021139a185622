// cuDNN's descriptors, heuristics and execution plans, examined without a GPU: cuDNN plans for a device that is only described.
// What the plans compute is the matter of the engine's own tests, where there is a GPU.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstdlib>
#include <set>
#include <string>

#include "cuda/convolution/candidates.h"
#include "cuda/convolution/execution_plan.h"
#include "engine/error.h"
#include "test/h100.h"
#include "test/refusal.h"

namespace dl::test {
namespace {

using cuda::ConvolutionRules;
using cuda::ConvolutionShape;
using cuda::DataType;
using enum ConvolutionShape::Direction;

bool has_cudnn() {
  try {
    cuda::cudnn();
    return true;
  } catch (const Error& error) {
    MESSAGE("not examined: " << std::string(error.what()));
    return false;
  }
}

/// A convolution of ResNet-50 at 224 x 224.
ConvolutionShape convolution(int64_t in, int64_t out, int64_t size, int64_t kernel, int64_t stride, int64_t images = 32) {
  return {.images = images,
          .in = {in, size, size},
          .out = {out, size / stride, size / stride},
          .kernel = {kernel, kernel},
          .stride = {stride, stride},
          .padding = {kernel / 2, kernel / 2}};
}

ConvolutionShape typed(ConvolutionShape shape, ConvolutionShape::Direction direction, Precision precision) {
  shape.direction = direction;
  shape.type = precision == Precision::kBfloat16 ? DataType::kBfloat16 : DataType::kFloat32;
  shape.result = shape.type;
  return shape;
}

TEST_CASE("every convolution of ResNet-50 has candidates for a Hopper GPU in each direction and precision") {
  if (!has_cudnn()) return;
  const cuda::Descriptor device = cuda::device_properties(kH100);
  const std::vector<ConvolutionShape> shapes{convolution(64, 64, 56, 1, 1),   convolution(64, 64, 56, 3, 1),
                                             convolution(64, 256, 56, 1, 1),  convolution(256, 128, 56, 1, 1),
                                             convolution(128, 128, 56, 3, 2), convolution(256, 512, 56, 1, 2),
                                             convolution(512, 512, 14, 3, 2), convolution(2048, 512, 7, 1, 1)};
  for (const Precision precision : {Precision::kFloat32, Precision::kTf32, Precision::kBfloat16})
    for (const bool deterministic : {false, true})
      for (const auto direction : {kForward, kData, kFilter})
        for (const ConvolutionShape& plain : shapes) {
          ConvolutionShape shape = typed(plain, direction, precision);
          if (direction == kData) shape.added = shape.in.channels > 64;
          const ConvolutionRules rules{precision, deterministic};
          CAPTURE(key_of(shape, rules));
          const auto found = cuda::candidates(shape, rules, device);
          CHECK_FALSE(found.empty());
          std::set<std::string> choices;
          for (const cuda::Candidate& candidate : found) {
            CHECK(candidate.workspace_bytes <= cuda::kMostWorkspaceBytes);
            CHECK(choices.insert(to_text(candidate.choice)).second);
          }
        }
}

TEST_CASE("how many candidates are timed can be limited, by a number that makes sense") {
  constexpr const char* kName = "DL_CLASSIFIER_CONVOLUTION_CANDIDATES";
  const char* before = std::getenv(kName);
  const std::string kept = before == nullptr ? "" : before;
  setenv(kName, "", 1);
  CHECK(cuda::most_candidates() == cuda::kMostCandidates);
  setenv(kName, "3", 1);
  CHECK(cuda::most_candidates() == 3);
  for (const char* wrong : {"0", "25", "-1", "3x", "many"}) {
    setenv(kName, wrong, 1);
    CHECK(refuses(Reason::kInvalidArgument, [] { cuda::most_candidates(); }));
  }
  setenv(kName, kept.c_str(), 1);
}

TEST_CASE("a candidate is an engine with the knobs that the heuristics set, and can be made again from its text") {
  if (!has_cudnn()) return;
  const cuda::Descriptor device = cuda::device_properties(kH100);
  for (const auto direction : {kForward, kData, kFilter}) {
    const ConvolutionShape shape = typed(convolution(64, 64, 56, 3, 1, 256), direction, Precision::kBfloat16);
    const ConvolutionRules rules{Precision::kBfloat16, false};
    CAPTURE(key_of(shape, rules));
    const cuda::OperationGraph graph(shape);
    const auto found = cuda::candidates(shape, rules, device);
    // cuDNN 9.24 proposes 33 to 40 settings of 3 to 6 engines.
    CHECK(std::ranges::count_if(found, [](const cuda::Candidate& one) { return !one.choice.knobs.empty(); }) >= 8);
    for (const cuda::Candidate& candidate : found) {
      CAPTURE(to_text(candidate.choice));
      const auto again = cuda::ExecutionPlan::make(graph, cuda::to_choice(to_text(candidate.choice)).value(), device);
      REQUIRE(again);
      CHECK(again->workspace_bytes() == candidate.workspace_bytes);
    }
  }
}

TEST_CASE("the first convolution of ResNet-50 has engines for tensor cores in TF32, which want more scratch memory than others") {
  if (!has_cudnn()) return;
  const cuda::Descriptor device = cuda::device_properties(kH100);
  for (const auto direction : {kForward, kFilter}) {
    const ConvolutionShape shape = typed(convolution(4, 64, 224, 7, 2, 256), direction, Precision::kTf32);
    CAPTURE(key_of(shape, {Precision::kTf32, false}));
    const auto found = cuda::candidates(shape, {Precision::kTf32, false}, device);
    CHECK(std::ranges::any_of(found, &cuda::Candidate::tensor_cores));
    for (const cuda::Candidate& candidate : found)
      CHECK(candidate.workspace_bytes <=
            (candidate.tensor_cores ? cuda::kMostTensorCoreWorkspaceBytes : cuda::kMostWorkspaceBytes));
    for (const cuda::Candidate& candidate : cuda::candidates(shape, {Precision::kFloat32, false}, device)) {
      CHECK_FALSE(candidate.tensor_cores);
      CHECK(candidate.workspace_bytes <= cuda::kMostWorkspaceBytes);
    }
  }
}

TEST_CASE("a convolution of each channel by itself gets no memory for the sake of tensor cores") {
  if (!has_cudnn()) return;
  const cuda::Descriptor device = cuda::device_properties(kH100);
  for (const Precision precision : {Precision::kTf32, Precision::kBfloat16})
    for (const auto direction : {kForward, kData, kFilter}) {
      ConvolutionShape shape = typed(convolution(32, 32, 112, 3, 1, 256), direction, precision);
      shape.groups = 32;
      const auto found = cuda::candidates(shape, {precision, false}, device);
      CHECK_FALSE(found.empty());
      for (const cuda::Candidate& candidate : found) CHECK(candidate.workspace_bytes <= cuda::kMostWorkspaceBytes);
    }
}

}  // namespace
}  // namespace dl::test
