#include "cuda/device.h"

#include <cuda_runtime_api.h>

#include "cuda/libraries/cublas_lt.h"
#include "cuda/libraries/cudnn.h"
#include "cuda/model.h"
#include "cuda/runtime/error.h"

namespace dl::cuda {
namespace {

/// Tensor cores compute in TF32 and in bfloat16 from this compute capability on.
constexpr int kAmpere = 8;

std::string cuda_version(int version) { return std::to_string(version / 1000) + "." + std::to_string(version % 1000 / 10); }

DeviceInfo device_info(int index) {
  cudaDeviceProp properties{};
  check(cudaGetDeviceProperties(&properties, index), "asking for the device's properties");
  int driver = 0;
  check(cudaDriverGetVersion(&driver), "asking for the driver's version");
  DeviceInfo info;
  info.name = properties.name;
  info.instruction_set = "compute capability " + std::to_string(properties.major) + "." + std::to_string(properties.minor);
  info.precisions = {Precision::kFloat32};
  if (properties.major >= kAmpere) {
    info.precisions.push_back(Precision::kTf32);
    info.precisions.push_back(Precision::kBfloat16);
  }
  info.libraries = {"CUDA " + cuda_version(CUDART_VERSION), "driver for CUDA " + cuda_version(driver),
                    "cuDNN " + cudnn().version(), "cuBLASLt " + cublas_lt().version()};
  info.memory_bytes = static_cast<int64_t>(properties.totalGlobalMem);
  return info;
}

}  // namespace

CudaDevice::CudaDevice(int index) : index_(index), info_(device_info(index)) {}

CudaDevice::CudaDevice(DeviceInfo info, std::unique_ptr<Target> target) : info_(std::move(info)), target_(std::move(target)) {}

void CudaDevice::begin(int /*threads*/) {
  guarded([&] {
    check(cudaSetDevice(index_), "choosing the device");
    if (!target_) {
      int multiprocessors = 0;
      check(cudaDeviceGetAttribute(&multiprocessors, cudaDevAttrMultiProcessorCount, index_), "asking for multiprocessors");
      const std::string name = info_.name + ", " + info_.instruction_set + ", cuDNN " + cudnn().version();
      target_ = std::make_unique<Target>(multiprocessors, device_properties(index_), ChoiceCache(cache_folder(), name));
    }
    if (handles_) return;
    handles_ = std::make_unique<Handles>(index_);
    transfer_ = std::make_unique<Transfer>();
  });
}

MemoryPlan CudaDevice::plan_memory(const Graph& graph, const PlanOptions& options, Solver solver) {
  return guarded([&]() -> MemoryPlan {
    const ParameterLayout layout(graph);
    return {Parameters::bytes_of(graph, solver), Plan(graph, layout, options, true, target()).bytes(),
            Plan(graph, layout, options, false, target()).bytes()};
  });
}

std::unique_ptr<DeviceModel> CudaDevice::make_model(const Graph& graph, Solver solver, uint64_t seed) {
  return guarded([&]() -> std::unique_ptr<DeviceModel> { return std::make_unique<CudaModel>(*this, graph, solver, seed); });
}

}  // namespace dl::cuda
