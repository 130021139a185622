// GPUs that are the machine's first one.
#include <array>
#include <memory>

#include "cuda/device.h"
#include "test/failing_gpus/computing_device.h"
#include "test/failing_gpus/illegal_access.h"

namespace dl::test {

Device& computing_device(int index) {
  // Never destroyed: when the process ends, NVIDIA's libraries may have ended before.
  static auto& devices = *new std::array<std::unique_ptr<Device>, 16>;
  std::unique_ptr<Device>& device = devices.at(static_cast<size_t>(index));
  if (!device) device = std::make_unique<cuda::CudaDevice>(0);
  return *device;
}

Precision computed_precision(Precision precision) { return precision; }

void lose_device() { access_illegally(); }

}  // namespace dl::test
