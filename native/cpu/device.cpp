#include "cpu/device.h"

#include <omp.h>
#include <sched.h>

#include <algorithm>
#include <cmath>
#include <fstream>

#include "cpu/kernels/kernels.h"
#include "cpu/model.h"
#include "cpu/onednn.h"
#include "engine/host_memory.h"

namespace dl::cpu {
namespace {

std::string processor_name() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("model name")) return line.substr(line.find(':') + 2);
  }
  return "unknown processor";
}

/// Processors that the control group grants, rounded up; 0 where it sets no limit.
int control_group_processors() {
  std::ifstream file("/sys/fs/cgroup/cpu.max");
  double quota = 0, period = 0;
  return file >> quota >> period && period > 0 ? static_cast<int>(std::ceil(quota / period)) : 0;
}

DeviceInfo device_info() {
  DeviceInfo info;
  info.name = processor_name();
  info.instruction_set = kernels().instruction_set;
  info.precisions = {Precision::kFloat32};
  if (onednn_has_bfloat16()) info.precisions.push_back(Precision::kBfloat16);
  info.libraries = {onednn_version()};
  info.memory_bytes = total_memory_bytes();
  return info;
}

class CpuDevice final : public Device {
 public:
  const DeviceInfo& info() const override { return info_; }

  void begin(int threads) override { omp_set_num_threads(threads); }

  MemoryPlan plan_memory(const Graph& graph, const PlanOptions& options, Solver solver) override {
    const ParameterLayout layout(graph);
    return {parameter_bytes(layout, graph, solver), Plan(graph, layout, options, true).bytes(),
            Plan(graph, layout, options, false).bytes()};
  }

  std::unique_ptr<DeviceModel> make_model(const Graph& graph, Solver solver, uint64_t seed) override {
    return std::make_unique<CpuModel>(graph, solver, seed);
  }

 private:
  const DeviceInfo info_ = device_info();
};

}  // namespace

Device& device() {
  static CpuDevice device;
  return device;
}

int available_threads() {
  cpu_set_t processors;
  CPU_ZERO(&processors);
  const int affinity = sched_getaffinity(0, sizeof(processors), &processors) == 0 ? CPU_COUNT(&processors) : omp_get_num_procs();
  const int quota = control_group_processors();
  return std::max(1, quota > 0 ? std::min(affinity, quota) : affinity);
}

}  // namespace dl::cpu
