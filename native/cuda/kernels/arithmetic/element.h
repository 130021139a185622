#pragma once

#include <bit>
#include <cstdint>

#include "cuda/kernels/arithmetic/host_device.h"

namespace dl::cuda {

/// The upper half of a float32: 8 bits of exponent, 7 of mantissa. As cuDNN and cuBLAS have it.
struct Bfloat16 {
  uint16_t bits;
};

DL_HOST_DEVICE float load(float value) { return value; }
DL_HOST_DEVICE float load(Bfloat16 value) { return std::bit_cast<float>(static_cast<uint32_t>(value.bits) << 16); }

DL_HOST_DEVICE void store(float& target, float value) { target = value; }
/// Rounds to nearest, ties to even; NaN stays NaN.
DL_HOST_DEVICE void store(Bfloat16& target, float value) {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
  asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(target.bits) : "f"(value));
#else
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  const uint32_t rounded = (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16;
  const uint32_t quiet_nan = (bits >> 16) | 0x40u;
  target.bits = static_cast<uint16_t>((bits & 0x7fffffffu) > 0x7f800000u ? quiet_nan : rounded);
#endif
}

/// The value as an activation of type T holds it.
template <class T>
DL_HOST_DEVICE float as_stored(float value) {
  T stored;
  store(stored, value);
  return load(stored);
}

}  // namespace dl::cuda
