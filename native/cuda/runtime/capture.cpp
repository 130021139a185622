#include "cuda/runtime/repeated_work.h"

namespace dl::cuda {

/// Alone in its file: the stand-in for the runtime, on a machine without a GPU, cannot (native/test/cuda_on_host).
bool RepeatedWork::streams_can_be_captured() { return true; }

}  // namespace dl::cuda
