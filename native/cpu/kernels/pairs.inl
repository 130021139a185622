// Pairs of bfloat16 that lie side by side, as products of bfloat16 read them. Included by variant.cpp inside the variant's own
// namespace.

/// 16 words of 32 bits: a pair of bfloat16 each.
typedef uint32_t Words __attribute__((vector_size(64), aligned(4), may_alias));

/// 0, 16, 1, 17, ...: the order that makes pairs of two vectors of 16 values.
[[gnu::always_inline]] inline __m512i pair_order(int second) {
  Words order;
  for (uint32_t i = 0; i < 16; ++i) order[i] = i | (static_cast<uint32_t>(second) + i) << 16;
  return reinterpret_cast<__m512i>(order);
}

/// (first, second), rounded.
[[gnu::always_inline]] inline Words pair_words(Vector first, Vector second) {
  const __m512bh both = _mm512_cvtne2ps_pbh(reinterpret_cast<__m512>(second), reinterpret_cast<__m512>(first));
  return reinterpret_cast<Words>(_mm512_permutexvar_epi16(pair_order(16), reinterpret_cast<__m512i>(both)));
}

/// (first, second) of up to 16 values each: those of the mask, zeros for the rest.
[[gnu::always_inline]] inline Words pair_words(const Bfloat16* first, const Bfloat16* second, __mmask16 mask) {
  const __m512i a = _mm512_castsi256_si512(_mm256_maskz_loadu_epi16(mask, first));
  const __m512i b = _mm512_castsi256_si512(_mm256_maskz_loadu_epi16(mask, second));
  return reinterpret_cast<Words>(_mm512_permutex2var_epi16(a, pair_order(32), b));
}

/// The first `values` of 16 lanes.
[[gnu::always_inline]] inline __mmask16 first_lanes(int64_t values) {
  return static_cast<__mmask16>((1u << std::clamp<int64_t>(values, 0, 16)) - 1u);
}

/// Two rows of 16 values that lie side by side.
[[gnu::always_inline]] inline Words pair_words(const Bfloat16* rows) {
  return reinterpret_cast<Words>(_mm512_permutexvar_epi16(pair_order(16), _mm512_loadu_si512(rows)));
}
