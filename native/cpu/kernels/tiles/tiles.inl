// Products of tiles of bfloat16, summed in float32, by the processor's own: eight registers of 16 rows of 64 bytes, and an
// instruction that multiplies two of them (AMX: Intel's Instruction Set Extensions, chapter 3). Included by variant.cpp inside
// the variant's own namespace.
//
//   sums(16, 16) += a(16, 32) * b(32, 16)      b's rows lie in pairs: (16, 16, 2)

constexpr int64_t kTileSide = 16;
constexpr int64_t kTileDepth = 32;
constexpr int64_t kTileValues = kTileSide * kTileDepth;
/// Rows and columns that are multiplied at a time: two tiles each way at most.
constexpr int64_t kPairSide = 2 * kTileSide;

/// Of scratch memory, in bytes: a line of the cache.
constexpr int64_t kLineBytes = 64;

/// A part of the depth: places relative to those of a TilePair, in values.
struct DepthPiece {
  int64_t a;
  int64_t b;
  int64_t steps;  // of kTileDepth
};

/// sums (rows, columns) = a * b (+ what is there) over all pieces of the depth.
struct TilePair {
  int64_t rows;          // up to kPairSide; a and sums have memory for whole tiles
  int64_t column_tiles;  // 1 or 2
  const Bfloat16* a;     // steps lie side by side
  int64_t a_row;         // values between rows
  const Bfloat16* b;     // steps are tiles, one behind the other
  int64_t b_tile;        // values between tiles of columns
  std::span<const DepthPiece> pieces;
  float* sums;
  int64_t sums_row;  // values between rows
  bool add;
};

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
[[gnu::always_inline]] inline void multiply_tile() {
  asm volatile("tdpbf16ps %%tmm%c2, %%tmm%c1, %%tmm%c0" ::"i"(kC), "i"(kA), "i"(kB));
}

template <int kRows, int kColumns>
void multiply_tiles(const TilePair& p) {
  constexpr auto kHalf = static_cast<int64_t>(sizeof(Bfloat16)), kFloat = static_cast<int64_t>(sizeof(float));
  const int64_t a_row = p.a_row * kHalf, sums_row = p.sums_row * kFloat, b_row = kTileDepth * kHalf;
  float* sums[2] = {p.sums, p.sums + kTileSide * p.sums_row};
  if (p.add) {
    load_tile<0>(sums[0], sums_row);
    if constexpr (kColumns == 2) load_tile<1>(sums[0] + kTileSide, sums_row);
    if constexpr (kRows == 2) load_tile<2>(sums[1], sums_row);
    if constexpr (kRows == 2 && kColumns == 2) load_tile<3>(sums[1] + kTileSide, sums_row);
  } else {
    zero_tile<0>();
    if constexpr (kColumns == 2) zero_tile<1>();
    if constexpr (kRows == 2) zero_tile<2>();
    if constexpr (kRows == 2 && kColumns == 2) zero_tile<3>();
  }
  for (const DepthPiece& piece : p.pieces) {
    const Bfloat16* a[2] = {p.a + piece.a, p.a + piece.a + kTileSide * p.a_row};
    const Bfloat16* b[2] = {p.b + piece.b, p.b + piece.b + p.b_tile};
    for (int64_t step = 0; step < piece.steps; ++step) {
      load_tile<4>(a[0] + step * kTileDepth, a_row);
      load_tile<6>(b[0] + step * kTileValues, b_row);
      if constexpr (kColumns == 2) load_tile<7>(b[1] + step * kTileValues, b_row);
      if constexpr (kRows == 2) load_tile<5>(a[1] + step * kTileDepth, a_row);
      multiply_tile<0, 4, 6>();
      if constexpr (kColumns == 2) multiply_tile<1, 4, 7>();
      if constexpr (kRows == 2) multiply_tile<2, 5, 6>();
      if constexpr (kRows == 2 && kColumns == 2) multiply_tile<3, 5, 7>();
    }
  }
  store_tile<0>(sums[0], sums_row);
  if constexpr (kColumns == 2) store_tile<1>(sums[0] + kTileSide, sums_row);
  if constexpr (kRows == 2) store_tile<2>(sums[1], sums_row);
  if constexpr (kRows == 2 && kColumns == 2) store_tile<3>(sums[1] + kTileSide, sums_row);
}

inline void multiply_tiles(const TilePair& p) {
  const bool two_columns = p.column_tiles == 2;
  if (p.rows > kTileSide) return two_columns ? multiply_tiles<2, 2>(p) : multiply_tiles<2, 1>(p);
  two_columns ? multiply_tiles<1, 2>(p) : multiply_tiles<1, 1>(p);
}
