// Times what cuDNN offers for each convolution of a training step of ResNet-50 at 224 x 224 on the first GPU: is the choice good,
// and how near does it come to the device's limits? Prints one JSON object for each convolution of another shape. Usage:
// dl_convolution_engines BATCH_SIZE float32|tf32|bfloat16
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>
#include <vector>

#include "bench/resnet50.h"
#include "cuda/convolution/timing.h"
#include "cuda/device.h"
#include "cuda/runtime/memory.h"
#include "engine/error.h"

namespace {

using namespace dl;
using namespace dl::cuda;

constexpr int64_t kSize = 224;

/// As the backend pads the channels of the images.
int64_t padded(int64_t channels, DataType type) { return std::max(channels, 16 / bytes_of(type)); }

/// The convolutions of a step, without repetitions, with how often each is computed.
std::map<std::string, std::pair<ConvolutionShape, int>> convolutions(int64_t batch, const ConvolutionRules& rules) {
  using enum ConvolutionShape::Direction;
  std::map<std::string, std::pair<ConvolutionShape, int>> found;
  const Graph graph(bench::Resnet50(1000).layers(), {3, kSize, kSize});
  const DataType type = rules.precision == Precision::kBfloat16 ? DataType::kBfloat16 : DataType::kFloat32;
  for (const Graph::Node& node : graph.nodes()) {
    const auto* layer = std::get_if<Convolution>(&node.kind);
    if (layer == nullptr) continue;
    const Graph::Node& input = graph.nodes()[static_cast<size_t>(node.inputs[0])];
    const bool first = std::holds_alternative<Input>(input.kind);
    ConvolutionShape shape{.images = batch,
                           .in = input.shape,
                           .out = node.shape,
                           .kernel = layer->kernel,
                           .stride = layer->stride,
                           .padding = layer->padding,
                           .groups = layer->groups,
                           .type = type,
                           .result = type};
    shape.in.channels = padded(shape.in.channels, type);
    for (const auto direction : {kForward, kData, kFilter}) {
      if (direction == kData && first) continue;
      shape.direction = direction;
      // The block's other branch has given its gradient already.
      shape.added = direction == kData && input.consumers.size() > 1 && layer->kernel[0] == 1 && layer->stride[0] == 1 &&
                    node.shape.channels < input.shape.channels;
      ++found.try_emplace(key_of(shape, rules), shape, 0).first->second.second;
    }
  }
  return found;
}

int measure(int64_t batch, Precision precision) {
  CudaDevice device(0);
  device.begin(1);
  const ConvolutionRules rules{precision, false};
  for (const auto& [key, counted] : convolutions(batch, rules)) {
    const auto& [shape, count] = counted;
    const int64_t values = shape.images * std::max(shape.in.size(), shape.out.size());
    const int64_t filters = shape.out.channels * shape.in.channels * shape.kernel[0] * shape.kernel[1];
    const DeviceMemory input(values * 4), output(values * 4), filter(filters * 4), workspace(kMostWorkspaceBytes);
    const OperationGraph graph(shape);
    std::string timed;
    double best = 0;
    // More than the backend tries: is there something better beyond?
    for (const Candidate& candidate : candidates(graph, rules, device.target().properties(), 2 * kMostCandidates)) {
      auto plan = ExecutionPlan::make(graph, candidate.choice, device.target().properties());
      if (!plan) continue;
      plan->bind({input.data(), filter.data(), output.data(), workspace.data()});
      const auto seconds = seconds_of(*plan, device.handles());
      if (seconds) best = best == 0 ? *seconds : std::min(best, *seconds);
      timed += (timed.empty() ? "" : ", ") + std::string("{\"engine\": \"") + to_text(candidate.choice) +
               "\", \"us\": " + (seconds ? std::to_string(*seconds * 1e6) : "null") +
               ", \"workspace\": " + std::to_string(plan->workspace_bytes()) + "}";
    }
    const double products =
        static_cast<double>(shape.images * shape.out.height * shape.out.width * filters) / static_cast<double>(shape.groups);
    const double bytes = static_cast<double>(
        bytes_of(shape.type) * (shape.images * (shape.in.size() * (shape.added ? 2 : 1) + shape.out.size()) + filters));
    std::printf(
        "{\"convolution\": \"%s\", \"count\": %d, \"us\": %.1f, \"tflops\": %.1f, \"tb_per_s\": %.2f, \"engines\": [%s]}\n",
        key.c_str(), count, best * 1e6, 2e-12 * products / best, 1e-12 * bytes / best, timed.c_str());
    std::fflush(stdout);
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const std::map<std::string, Precision> precisions{
      {"float32", Precision::kFloat32}, {"tf32", Precision::kTf32}, {"bfloat16", Precision::kBfloat16}};
  if (argc != 3 || std::atoll(argv[1]) < 1 || !precisions.contains(argv[2])) {
    std::fprintf(stderr, "usage: dl_convolution_engines BATCH_SIZE float32|tf32|bfloat16\n");
    return 2;
  }
  try {
    return measure(std::atoll(argv[1]), precisions.at(argv[2]));
  } catch (const Error& error) {
    std::fprintf(stderr, "dl_convolution_engines: %s\n", error.what());
    return 1;
  }
}
