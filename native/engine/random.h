#pragma once

#include <array>
#include <cstdint>

namespace dl {

constexpr int kPhiloxRounds = 10;

/// One round of philox() on its counter, or on a vector of counters: low(m, w) and high(m, w) are the halves of m * w.
template <class Word, class Low, class High>
[[gnu::always_inline]] constexpr void philox_round(std::array<Word, 4>& counter, std::array<uint32_t, 2> key, const Low& low,
                                                   const High& high) {
  constexpr uint32_t kMultiplier0 = 0xD2511F53, kMultiplier1 = 0xCD9E8D57;
  counter = {high(kMultiplier1, counter[2]) ^ counter[1] ^ key[0], low(kMultiplier1, counter[2]),
             high(kMultiplier0, counter[0]) ^ counter[3] ^ key[1], low(kMultiplier0, counter[0])};
}

/// The key of the next round.
[[gnu::always_inline]] constexpr std::array<uint32_t, 2> philox_next(std::array<uint32_t, 2> key) {
  return {key[0] + 0x9E3779B9, key[1] + 0xBB67AE85};
}

/// Philox4x32-10 of Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3" (SC 2011): four random words for
/// each (counter, key), in any order and from any thread. Initial weights and dropout masks come from it, so that runs repeat.
[[gnu::always_inline]] constexpr std::array<uint32_t, 4> philox(std::array<uint32_t, 4> counter, std::array<uint32_t, 2> key) {
  const auto low = [](uint32_t m, uint32_t w) { return m * w; };
  const auto high = [](uint32_t m, uint32_t w) { return static_cast<uint32_t>(uint64_t{m} * w >> 32); };
  for (int round = 0; round < kPhiloxRounds; ++round) {
    philox_round(counter, key, low, high);
    key = philox_next(key);
  }
  return counter;
}

/// A key from a 64-bit seed.
[[gnu::always_inline]] constexpr std::array<uint32_t, 2> philox_key(uint64_t seed) {
  return {static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32)};
}

/// The streams of random numbers of one seed: a dropout layer uses its node index (0 .. 2^31 - 1), initial values the rest.
constexpr uint32_t kInitializationStream = 0x80000000;

}  // namespace dl
