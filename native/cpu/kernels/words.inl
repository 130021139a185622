// Products by words of 32 bits: a pair of bfloat16 that are neighbours along the depth of the product. Included by variant.cpp
// inside the variant's own namespace.

template <class T>
struct Words;

#if defined(__AVX512BF16__)
template <>
struct Words<Bfloat16> {
  static constexpr int64_t kValues = 2;

  /// Words that hold this many values.
  static constexpr int64_t of(int64_t values) { return (values + 1) / 2; }

  /// sum + the product of the word with each word of the vector, pairs summed in float32.
  [[gnu::always_inline]] static Vector multiply_add(Vector sum, uint32_t word, Vector vector) {
    return reinterpret_cast<Vector>(_mm512_dpbf16_ps(reinterpret_cast<__m512>(sum),
                                                     reinterpret_cast<__m512bh>(_mm512_set1_epi32(static_cast<int>(word))),
                                                     reinterpret_cast<__m512bh>(vector)));
  }

  /// Rounds 16 values of two vectors each to words: (first, second).
  [[gnu::always_inline]] static Vector pair(Vector first, Vector second) {
    const __m512bh both = _mm512_cvtne2ps_pbh(reinterpret_cast<__m512>(second), reinterpret_cast<__m512>(first));
    return reinterpret_cast<Vector>(_mm512_permutexvar_epi16(interleaving(), reinterpret_cast<__m512i>(both)));
  }

  /// Words of 16 values of two rows each: (first, second).
  [[gnu::always_inline]] static Vector pair(const Bfloat16* first, const Bfloat16* second) {
    const auto load = [](const Bfloat16* from) {
      return _mm512_castsi256_si512(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(from)));
    };
    // The second source's values count on from 32.
    const __m512i order = _mm512_add_epi32(interleaving(), _mm512_set1_epi32(0x100000));
    return reinterpret_cast<Vector>(_mm512_permutex2var_epi16(load(first), order, load(second)));
  }

 private:
  /// 0, 16, 1, 17, ...
  static __m512i interleaving() {
    const __m512i words = _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
    return _mm512_add_epi32(_mm512_mullo_epi32(words, _mm512_set1_epi32(0x10001)), _mm512_set1_epi32(0x100000));
  }
};
#endif
