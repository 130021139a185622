#pragma once

#include <bit>
#include <cstdint>

namespace dl::cpu {

/// The upper half of a float32: 8 bits of exponent, 7 of mantissa.
struct Bfloat16 {
  uint16_t bits;
};

[[gnu::always_inline]] inline float load(float value) { return value; }
[[gnu::always_inline]] inline float load(Bfloat16 value) { return std::bit_cast<float>(static_cast<uint32_t>(value.bits) << 16); }

[[gnu::always_inline]] inline void store(float& target, float value) { target = value; }
/// Rounds to nearest, ties to even; NaN stays NaN.
[[gnu::always_inline]] inline void store(Bfloat16& target, float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  const uint32_t rounded = (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16;
  const uint32_t quiet_nan = (bits >> 16) | 0x40u;
  target.bits = static_cast<uint16_t>((bits & 0x7fffffffu) > 0x7f800000u ? quiet_nan : rounded);
}

}  // namespace dl::cpu
