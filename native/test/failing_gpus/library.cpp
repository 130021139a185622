// A backend for the tests of the daemon: GPUs that fail where a test wants it. DL_CLASSIFIER_CUDA_BACKEND names it; there are
// DL_GPU_COUNT of them.
#include <cstring>

#include "engine/backend.h"
#include "test/failing_gpus/failing_gpu.h"
#include "test/failing_gpus/fault.h"

extern "C" __attribute__((visibility("default"))) bool dl_open_backend(const char* abi, dl::FoundDevices* devices) {
  if (std::strcmp(abi, DL_BACKEND_ABI) != 0) return false;
  const int count = static_cast<int>(dl::test::environment_number("DL_GPU_COUNT", 1));
  for (int index = 0; index < count; ++index) {
    dl::FoundDevice found;
    found.device = dl::test::make_failing_gpu(index);
    found.name = found.device->info().name;
    devices->push_back(std::move(found));
  }
  return true;
}
