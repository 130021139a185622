// A tile of a product of matrices whose sums stay in registers. Included by variant.cpp inside the variant's own namespace.

constexpr int kGemmRows = 6;     // of a tile ...
constexpr int kGemmVectors = 4;  // ... and vectors of columns

/// How `total` things are cut into the fewest parts of at most `most`, as even as possible.
struct EvenParts {
  EvenParts(int64_t total_things, int64_t most) : total(total_things), count((total + most - 1) / most) {}

  int64_t begin(int64_t part) const { return part * total / count; }
  int64_t size(int64_t part) const { return begin(part + 1) - begin(part); }

  int64_t total;
  int64_t count;
};

/// sums += a * b over `words` words: row r of a lies at a[r], word w of b at b + w * kVectors * kLanes.
template <class T, int kRows, int kVectors>
[[gnu::always_inline]] inline void multiply_words(const T* const (&a)[kRows], int64_t words, const uint32_t* b,
                                                  Vector (&sums)[kRows][kVectors]) {
  for (int64_t w = 0; w < words; ++w, b += kVectors * kLanes) {
    Vector values[kVectors];
    for (int v = 0; v < kVectors; ++v) values[v] = load_vector(reinterpret_cast<const float*>(b) + v * kLanes);
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r) {
      uint32_t word;
      std::memcpy(&word, a[r] + w * Words<T>::kValues, sizeof(word));
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v) sums[r][v] = Words<T>::multiply_add(sums[r][v], word, values[v]);
    }
  }
}

/// Calls f(rows, vectors) with both as constants.
template <int kRows = kGemmRows, int kVectors = kGemmVectors, class F>
[[gnu::always_inline]] inline void with_tile(int64_t rows, int64_t vectors, const F& f) {
  if constexpr (kVectors > 1) {
    if (vectors < kVectors) return with_tile<kRows, kVectors - 1>(rows, vectors, f);
  }
  if constexpr (kRows > 1) {
    if (rows < kRows) return with_tile<kRows - 1, kVectors>(rows, vectors, f);
  }
  f(std::integral_constant<int, kRows>{}, std::integral_constant<int, kVectors>{});
}
