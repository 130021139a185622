// GPUs that are the machine's processors: wants nothing of CUDA.
#include <string>

#include "cpu/device.h"
#include "engine/error.h"
#include "test/failing_gpus/computing_device.h"

namespace dl::test {

Device& computing_device(int /*index*/) { return cpu::device(); }

Precision computed_precision(Precision precision) { return precision == Precision::kTf32 ? Precision::kFloat32 : precision; }

void lose_device() { throw Error(Reason::kDeviceLost, "the device is lost to this process: a test wants it"); }

void take_memory(int /*index*/, int64_t bytes_left) {
  throw Error(Reason::kOutOfMemory, "a test wants the memory to be full",
              {{"bytes", std::to_string(bytes_left + 1)}, {"free", std::to_string(bytes_left)}});
}

void release_memory(int /*index*/) {}

}  // namespace dl::test
