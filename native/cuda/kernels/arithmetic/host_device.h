#pragma once

#include <bit>
#include <cmath>
#include <cstdint>

/// The arithmetic of the kernels is written in functions that compile for the device and, by any C++ compiler, for the host,
/// where they are tested.
#if defined(__CUDACC__)
#define DL_HOST_DEVICE __host__ __device__ __forceinline__
#else
#define DL_HOST_DEVICE
#endif

namespace dl::cuda {

DL_HOST_DEVICE inline float as_float(uint32_t bits) {
#if defined(__CUDA_ARCH__)
  return __uint_as_float(bits);
#else
  return std::bit_cast<float>(bits);
#endif
}

DL_HOST_DEVICE inline uint32_t as_bits(float value) {
#if defined(__CUDA_ARCH__)
  return __float_as_uint(value);
#else
  return std::bit_cast<uint32_t>(value);
#endif
}

}  // namespace dl::cuda
