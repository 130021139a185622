// Products of small matrices whose result stays in registers. Included by variant.cpp inside the variant's own namespace.

#if defined(__AVX512F__)
constexpr int kWide = 4;  // vectors of a tile's row where the columns allow it ...
#else
constexpr int kWide = 2;
#endif
constexpr int kNarrow = 2;  // ... and otherwise
constexpr int kTileRows = 6;

inline int64_t round_up(int64_t value, int64_t multiple) { return (value + multiple - 1) / multiple * multiple; }

constexpr int64_t kPanel = kWide * kLanes;  // columns of the widest panel

/// Columns in panels of whole vectors, kWide at most, as even as possible.
struct Panels {
  explicit Panels(int64_t columns) : vectors((columns + kLanes - 1) / kLanes), count((vectors + kWide - 1) / kWide) {}

  /// First column of a panel; of the last one and one more, the end.
  int64_t begin(int64_t panel) const { return panel * vectors / count * kLanes; }
  int64_t width(int64_t panel) const { return begin(panel + 1) - begin(panel); }

  int64_t vectors, count;
};

constexpr int64_t kLine = 64 / sizeof(float);  // values of a cache line

/// Value by value, so that they stay in registers: an array that is initialised as a whole goes to memory.
template <int kRows, int kVectors>
[[gnu::always_inline]] inline void set_to_zero(Vector (&sums)[kRows][kVectors]) {
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 4
    for (int n = 0; n < kVectors; ++n) sums[r][n] = Vector{};
  }
}

/// c = a * b for `rows` x (vectors * kLanes) values, or c += a * b, summed over `depth`. Value (r, d) of `a` lies at r * a_row + d
/// * a_depth, and one of the two strides is 1.
struct Product {
  int64_t depth;
  const float* a;
  int64_t a_row, a_depth;
  const float* b;
  int64_t b_depth;
  float* c;
  int64_t c_row;
  const float* next = nullptr;  // with kAhead: one value of each cache line that is read after this tile, next_step apart
  int64_t next_step = 0;
};

template <int kRows, int kVectors, bool kAdd, bool kRowsContiguous, bool kAhead>
void product_tile(const Product& p) {
  Vector sums[kRows][kVectors];
  set_to_zero(sums);
  const int64_t row = kRowsContiguous ? 1 : p.a_row, step = kRowsContiguous ? p.a_depth : 1;
  const float* a = p.a;
  const float* a3 = p.a + 3 * row;  // a second base, so that every row is a base and a scaled index
  const float* b = p.b;
  const float* next = p.next;
  for (int64_t d = 0; d < p.depth; ++d, a += step, a3 += step, b += p.b_depth) {
    if constexpr (kAhead) __builtin_prefetch(next), next += p.next_step;
    Vector values[kVectors];
#pragma GCC unroll 4
    for (int n = 0; n < kVectors; ++n) values[n] = load_vector(b + n * kLanes);
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r) {
      const Vector factor = broadcast(r < 3 ? a[r * row] : a3[(r - 3) * row]);
#pragma GCC unroll 4
      for (int n = 0; n < kVectors; ++n) sums[r][n] += factor * values[n];
    }
  }
  // The product is summed by itself before it is added: long chains of additions lose more.
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 4
    for (int n = 0; n < kVectors; ++n) {
      float* to = p.c + r * p.c_row + n * kLanes;
      store_vector(to, kAdd ? load_vector(to) + sums[r][n] : sums[r][n]);
    }
  }
}

template <int kRows, int kVectors, bool kAdd, bool kRowsContiguous, bool kAhead>
void product_rest(const Product& p, int64_t rows) {
  if constexpr (kRows > 0) {
    if (rows == kRows) return product_tile<kRows, kVectors, kAdd, kRowsContiguous, kAhead>(p);
    product_rest<kRows - 1, kVectors, kAdd, kRowsContiguous, kAhead>(p, rows);
  }
}

/// All rows of a product, tile by tile.
template <int kVectors, bool kAdd, bool kRowsContiguous>
void product(Product p, int64_t rows) {
  for (; rows >= kTileRows; rows -= kTileRows) {
    product_tile<kTileRows, kVectors, kAdd, kRowsContiguous, false>(p);
    p.a += kTileRows * p.a_row;
    p.c += kTileRows * p.c_row;
  }
  product_rest<kTileRows - 1, kVectors, kAdd, kRowsContiguous, false>(p, rows);
}
