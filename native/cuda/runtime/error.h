#pragma once

#include <cuda_runtime_api.h>

#include "engine/error.h"

namespace dl::cuda {

/// What an error of the CUDA runtime means for the caller. kDeviceLost: the process cannot use the device again; every later call
/// would fail in the same way.
Reason reason_of(cudaError_t error);

/// What this process knows of a failure of the device after a library has reported one of its own; cudaSuccess where nothing. The
/// last error alone does not tell it: libraries bring their own copies of the runtime, and each copy keeps its own. So the device
/// is asked, by a call that a capture allows.
cudaError_t failure_of_device();

/// Throws the reason of the error, with CUDA's own words; `what` says what was attempted.
void check(cudaError_t error, const char* what);

}  // namespace dl::cuda
