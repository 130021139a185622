// GPUs that are the machine's processors: wants nothing of CUDA.
#include "cpu/device.h"
#include "test/gpus_on_host/computing_device.h"

namespace dl::test {

Device& computing_device(int /*index*/) { return cpu::device(); }

Precision computed_precision(Precision precision) { return precision == Precision::kTf32 ? Precision::kFloat32 : precision; }

}  // namespace dl::test
