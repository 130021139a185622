// Tiles: eight registers of 16 rows of 64 bytes, and the instruction that multiplies two of them (AMX: Intel's Instruction Set
// Extensions, chapter 3). Included by variant.cpp inside the variant's own namespace.
//
//   c(16, 16) += a(16, 32) * b(32, 16)      a, b in bfloat16, c in float32; b's rows lie in pairs: (16, 16, 2)

constexpr int64_t kTileSide = 16;
constexpr int64_t kTileDepth = 32;
constexpr int64_t kTileValues = kTileSide * kTileDepth;  // of bfloat16
constexpr int64_t kTileSums = kTileSide * kTileSide;     // of float32

/// Of scratch memory, in bytes: a line of the cache.
constexpr int64_t kAmxAlignment = 64;

/// All registers as whole tiles while this lives; without it a thread has none, and nothing of it to save when it waits.
class TilesInUse {
 public:
  TilesInUse() {
    struct alignas(64) Configuration {
      uint8_t palette = 1, start_row = 0, reserved[14] = {};
      uint16_t row_bytes[16] = {};
      uint8_t rows[16] = {};
    } configuration;
    for (int tile = 0; tile < 8; ++tile) {
      configuration.row_bytes[tile] = kTileDepth * sizeof(Bfloat16);
      configuration.rows[tile] = kTileSide;
    }
    asm volatile("ldtilecfg %0" ::"m"(configuration));
  }
  ~TilesInUse() { asm volatile("tilerelease"); }
  TilesInUse(const TilesInUse&) = delete;
  TilesInUse& operator=(const TilesInUse&) = delete;
};

template <int kTile>
[[gnu::always_inline]] inline void zero_tile() {
  asm volatile("tilezero %%tmm%c0" ::"i"(kTile));
}

/// Rows `row` bytes apart.
template <int kTile>
[[gnu::always_inline]] inline void load_tile(const void* from, int64_t row) {
  asm volatile("tileloadd (%0,%1,1), %%tmm%c2" ::"r"(from), "r"(row), "i"(kTile) : "memory");
}

template <int kTile>
[[gnu::always_inline]] inline void store_tile(void* to, int64_t row) {
  asm volatile("tilestored %%tmm%c2, (%0,%1,1)" ::"r"(to), "r"(row), "i"(kTile) : "memory");
}

template <int kC, int kA, int kB>
[[gnu::always_inline]] inline void multiply_tiles() {
  asm volatile("tdpbf16ps %%tmm%c2, %%tmm%c1, %%tmm%c0" ::"i"(kC), "i"(kA), "i"(kB));
}

/// Sums of kRows * kColumns tiles, of two by two at most.
template <int kRows, int kColumns>
struct TileSums {
  static void clear() {
    zero_tile<0>();
    if constexpr (kColumns == 2) zero_tile<1>();
    if constexpr (kRows == 2) zero_tile<2>();
    if constexpr (kRows == 2 && kColumns == 2) zero_tile<3>();
  }

  /// A tile of sums every `tile` bytes along a row of tiles, rows of tiles `tile_row` bytes apart, rows of sums `row`.
  static void load(const float* from, int64_t tile, int64_t tile_row, int64_t row) {
    const auto* at = reinterpret_cast<const std::byte*>(from);
    load_tile<0>(at, row);
    if constexpr (kColumns == 2) load_tile<1>(at + tile, row);
    if constexpr (kRows == 2) load_tile<2>(at + tile_row, row);
    if constexpr (kRows == 2 && kColumns == 2) load_tile<3>(at + tile_row + tile, row);
  }

  static void store(float* to, int64_t tile, int64_t tile_row, int64_t row) {
    auto* at = reinterpret_cast<std::byte*>(to);
    store_tile<0>(at, row);
    if constexpr (kColumns == 2) store_tile<1>(at + tile, row);
    if constexpr (kRows == 2) store_tile<2>(at + tile_row, row);
    if constexpr (kRows == 2 && kColumns == 2) store_tile<3>(at + tile_row + tile, row);
  }

  /// += a * b over `steps` of kTileDepth: steps of a lie side by side, its rows `a_row` bytes apart; those of b are whole tiles, one
  /// behind the other.
  static void add(const Bfloat16* const* a, int64_t a_row, const Bfloat16* const* b, int64_t steps) {
    const Bfloat16 *a0 = a[0], *a1 = a[kRows - 1], *b0 = b[0], *b1 = b[kColumns - 1];
    for (int64_t step = 0; step < steps; ++step) {
      load_tile<4>(a0 + step * kTileDepth, a_row);
      load_tile<6>(b0 + step * kTileValues, kTileDepth * sizeof(Bfloat16));
      if constexpr (kColumns == 2) load_tile<7>(b1 + step * kTileValues, kTileDepth * sizeof(Bfloat16));
      if constexpr (kRows == 2) load_tile<5>(a1 + step * kTileDepth, a_row);
      multiply_tiles<0, 4, 6>();
      if constexpr (kColumns == 2) multiply_tiles<1, 4, 7>();
      if constexpr (kRows == 2) multiply_tiles<2, 5, 6>();
      if constexpr (kRows == 2 && kColumns == 2) multiply_tiles<3, 5, 7>();
    }
  }
};

/// Calls f(sums) with TileSums of as many tiles, one or two each way.
template <class F>
[[gnu::always_inline]] inline void with_tile_sums(bool two_rows, bool two_columns, const F& f) {
  if (two_rows) return two_columns ? f(TileSums<2, 2>{}) : f(TileSums<2, 1>{});
  two_columns ? f(TileSums<1, 2>{}) : f(TileSums<1, 1>{});
}

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
