// GPUs that are the CUDA backend on the host, as in dl_cuda_on_host_test.
#include <array>
#include <memory>

#include "cuda/device.h"
#include "test/cuda_on_host/streams.h"
#include "test/failing_gpus/computing_device.h"
#include "test/h100.h"

namespace dl::test {

Device& computing_device(int index) {
  static std::array<std::unique_ptr<Device>, 16> devices;
  std::unique_ptr<Device>& device = devices.at(static_cast<size_t>(index));
  if (!device) {
    DeviceInfo info;
    info.instruction_set = "compute capability 9.0";
    info.precisions = {Precision::kFloat32, Precision::kTf32, Precision::kBfloat16};
    auto target = std::make_unique<cuda::Target>(3, cuda::device_properties(kH100), cuda::ChoiceCache({}, ""));
    device = std::make_unique<cuda::CudaDevice>(std::move(info), std::move(target));
  }
  return *device;
}

Precision computed_precision(Precision precision) { return precision; }

void lose_device() { lose_device_of_thread(); }

}  // namespace dl::test
