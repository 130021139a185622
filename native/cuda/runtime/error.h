#pragma once

#include <cuda_runtime_api.h>

#include "engine/error.h"

namespace dl::cuda {

/// What an error of the CUDA runtime means for the caller. kDeviceLost: the process cannot use the device again; every later call
/// would fail in the same way.
Reason reason_of(cudaError_t error);

/// Throws the reason of the error, with CUDA's own words; `what` says what was attempted.
void check(cudaError_t error, const char* what);

}  // namespace dl::cuda
