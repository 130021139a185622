// Times what cuDNN offers for each convolution that plans of ResNet-50 at 224 x 224 may use, on the first GPU: is the choice
// good, and how near does it come to the device's limits? Prints one JSON object for each convolution of another shape. Usage:
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

int measure(int64_t batch, Precision precision) {
  CudaDevice device(0);
  device.begin(1);
  const Graph graph(bench::Resnet50(1000).layers(), {3, kSize, kSize});
  device.plan_memory(graph, {batch, precision}, Solver::kSgd);
  // What a plan asked for and cuDNN does not have is not there.
  for (const auto& [key, asked] : device.target().asked()) {
    const auto& [shape, rules, tried] = asked;
    if (tried.empty()) continue;
    const int64_t values = shape.images * std::max(shape.in.size(), shape.out.size());
    const int64_t filters = shape.out.channels * shape.in.channels * shape.kernel[0] * shape.kernel[1];
    // More than the backend tries: is there something better beyond?
    const auto found = candidates(shape, rules, device.target().properties(), 2 * kMostCandidates);
    int64_t workspace_bytes = 0;
    for (const Candidate& candidate : found) workspace_bytes = std::max(workspace_bytes, candidate.workspace_bytes);
    const DeviceMemory input(values * 4), output(values * 4), filter(filters * 4), workspace(workspace_bytes);
    const OperationGraph operations(shape, device.handles().cudnn());
    std::string timed;
    double best = 0;
    for (const Candidate& candidate : found) {
      auto plan = ExecutionPlan::make(operations, candidate.choice);
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
    std::printf("{\"convolution\": \"%s\", \"us\": %.1f, \"tflops\": %.1f, \"tb_per_s\": %.2f, \"engines\": [%s]}\n", key.c_str(),
                best * 1e6, 2e-12 * products / best, 1e-12 * bytes / best, timed.c_str());
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
