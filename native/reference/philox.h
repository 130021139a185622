#pragma once

#include <array>
#include <cstdint>

namespace dl::reference {

/// Philox4x32 with 10 rounds: four random words from a counter and a key, without any state.
/// Source: Salmon, Moraes, Dror, Shaw, "Parallel Random Numbers: As Easy as 1, 2, 3", SC 2011, section 3.3.
std::array<uint32_t, 4> philox4x32_10(std::array<uint32_t, 4> counter, std::array<uint32_t, 2> key);

}  // namespace dl::reference
