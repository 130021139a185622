#include <cuda_runtime_api.h>

#include <cstring>

#include "cuda/device.h"
#include "cuda/runtime/error.h"
#include "engine/backend.h"
#include "engine/shared_library.h"

namespace dl::cuda {
namespace {

Error no_gpu(const std::string& problem, const std::string& remedy) { return {Reason::kNoGpu, problem, {{"remedy", remedy}}}; }

/// Why there is no device at all, or nothing.
std::optional<Error> problem_of_machine(int& count) {
  const SharedLibrary driver({"libcuda.so.1"});
  if (!driver.opened()) {
    return no_gpu(
        "no NVIDIA driver was found (" + driver.problem() + ")",
        "install NVIDIA's driver, in a container run it with its runtime (docker run --gpus all), or leave runtime at 'cpu'");
  }
  const cudaError_t error = cudaGetDeviceCount(&count);
  cudaGetLastError();
  const std::string said = std::string(cudaGetErrorName(error)) + ", " + cudaGetErrorString(error);
  if (error == cudaErrorInsufficientDriver)
    return no_gpu(
        "NVIDIA's driver is older than the CUDA runtime " + std::to_string(CUDART_VERSION / 1000) + " asks for: " + said,
        "install a newer driver, or build the backend with an older CUDA toolkit");
  if (error != cudaSuccess || count == 0)
    return no_gpu("NVIDIA's driver lists no GPU: " + said, "check that nvidia-smi lists one, or leave runtime at 'cpu'");
  return std::nullopt;
}

FoundDevice find(int index) {
  FoundDevice found;
  cudaDeviceProp properties{};
  if (cudaGetDeviceProperties(&properties, index) == cudaSuccess) found.name = properties.name;
  try {
    found.device = std::make_unique<CudaDevice>(index);
  } catch (const Error& error) {
    found.problem = error.metadata().contains("remedy")
                        ? error
                        : no_gpu(error.what(), "check the device with nvidia-smi, or leave runtime at 'cpu'");
  }
  return found;
}

}  // namespace
}  // namespace dl::cuda

extern "C" __attribute__((visibility("default"))) bool dl_open_backend(const char* abi, dl::FoundDevices* devices) {
  if (std::strcmp(abi, DL_BACKEND_ABI) != 0) return false;
  int count = 0;
  if (const auto problem = dl::cuda::problem_of_machine(count)) {
    devices->push_back({nullptr, "", *problem});
    return true;
  }
  for (int index = 0; index < count; ++index) devices->push_back(dl::cuda::find(index));
  return true;
}
