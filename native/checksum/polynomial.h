#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

/// Polynomials over GF(2) modulo that of CRC-32, reflected: the highest bit is the coefficient of x^0.
namespace dl::checksum {

inline constexpr uint32_t kPolynomial = 0xEDB88320;

constexpr uint32_t times_x(uint32_t value) { return (value >> 1) ^ ((value & 1) != 0 ? kPolynomial : 0); }

/// What a carry-less multiplication moves 64 bits on by: x^exponent, shifted because the product of two reflected numbers comes
/// out one bit too low.
constexpr uint64_t fold_constant(int exponent) {
  uint32_t power = 0x80000000;
  for (int i = 0; i < exponent; ++i) power = times_x(power);
  return uint64_t{power} << 1;
}

/// For 128 bits that move on by `bits`, their first 64 bits and their last (Gopal et al., Fast CRC Computation for Generic
/// Polynomials Using PCLMULQDQ Instruction, Intel 2009).
struct FoldConstants {
  uint64_t first;
  uint64_t last;
};

constexpr FoldConstants fold_by(int bits) { return {fold_constant(bits + 32), fold_constant(bits - 32)}; }

// As printed there.
static_assert(fold_by(512).first == 0x154442bd4 && fold_by(512).last == 0x1c6e41596);
static_assert(fold_by(128).first == 0x1751997d0 && fold_by(128).last == 0x0ccaa009e);

/// [n][byte]: the state after this byte and n zeros.
using SlicingTables = std::array<std::array<uint32_t, 256>, 8>;

constexpr SlicingTables slicing_tables() {
  SlicingTables tables{};
  for (uint32_t byte = 0; byte < 256; ++byte) {
    uint32_t state = byte;
    for (int bit = 0; bit < 8; ++bit) state = times_x(state);
    tables[0][byte] = state;
  }
  for (size_t zeros = 1; zeros < tables.size(); ++zeros) {
    for (size_t byte = 0; byte < 256; ++byte) {
      const uint32_t before = tables[zeros - 1][byte];
      tables[zeros][byte] = (before >> 8) ^ tables[0][before & 0xff];
    }
  }
  return tables;
}

}  // namespace dl::checksum
