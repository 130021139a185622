// How the kernels walk over an activation. Included by variant.cpp inside the variant's own namespace.

/// Calls walk(first value, rows, first channel) for pieces of rows (positions in space) with `layout.block()` channels each, in
/// parallel.
template <class Walk>
void for_each_piece(const Layout& layout, const Walk& walk) {
  constexpr int64_t kValues = 32768;
  const int64_t images = layout.images, blocks = layout.blocks(), spatial = layout.spatial(), block = layout.block();
  const int64_t piece = std::max<int64_t>(1, kValues / block);
  const int64_t pieces = (spatial + piece - 1) / piece;
#pragma omp parallel for collapse(3) schedule(static)
  for (int64_t n = 0; n < images; ++n) {
    for (int64_t b = 0; b < blocks; ++b) {
      for (int64_t p = 0; p < pieces; ++p) {
        const int64_t row = p * piece;
        walk(((n * blocks + b) * spatial + row) * block, std::min(piece, spatial - row), b * block);
      }
    }
  }
}

/// Calls walk(item, first value, rows, first channel) for the pieces of a reduction, in parallel; an item's channels may come in
/// several calls.
template <class Walk>
void for_each_item(const Layout& layout, const Walk& walk) {
  const int64_t images = layout.images, blocks = layout.blocks(), spatial = layout.spatial(), block = layout.block();
  const int64_t piece = std::clamp<int64_t>(65536 / block, 1, spatial);  // reduction_rows
  const int64_t pieces = (spatial + piece - 1) / piece;
#pragma omp parallel for collapse(3) schedule(static)
  for (int64_t n = 0; n < images; ++n) {
    for (int64_t p = 0; p < pieces; ++p) {
      for (int64_t b = 0; b < blocks; ++b) {
        const int64_t row = p * piece;
        walk(n * pieces + p, ((n * blocks + b) * spatial + row) * block, std::min(piece, spatial - row), b * block);
      }
    }
  }
}

/// Rows of the item; all items but the last of an image have reduction_rows(layout).
inline int64_t item_rows(const Layout& layout, int64_t item) {
  const int64_t piece = std::clamp<int64_t>(65536 / layout.block(), 1, layout.spatial());
  const int64_t pieces = (layout.spatial() + piece - 1) / piece;
  return std::min(piece, layout.spatial() - (item % pieces) * piece);
}

/// Calls f with the block's width as a constant for the common widths, so that the inner loops unroll.
template <class F>
void with_constant(int64_t block, const F& f) {
  switch (block) {
    case 16:
      return f(std::integral_constant<int64_t, 16>{});
    case 32:
      return f(std::integral_constant<int64_t, 32>{});
    case 64:
      return f(std::integral_constant<int64_t, 64>{});
    case 128:
      return f(std::integral_constant<int64_t, 128>{});
    default:
      return f(block);
  }
}

/// Rows of 16 channels are narrow: some are taken for one, in which each channel comes as often.
constexpr int64_t kNarrowRow = 16;
constexpr int64_t kRowsAtOnce = 4;

template <class Width>
constexpr bool is_narrow() {
  if constexpr (std::is_integral_v<Width>) return false;
  else return Width::value == kNarrowRow;
}

/// Calls f(first value, width) for rows of `width` channels that lie `step` values apart; narrow ones side by side.
template <class Width, class F>
[[gnu::always_inline]] inline void for_each_wide_row(Width width, int64_t step, int64_t rows, const F& f) {
  int64_t row = 0;
  if constexpr (is_narrow<Width>()) {
    if (step == kNarrowRow) {
      for (; row + kRowsAtOnce <= rows; row += kRowsAtOnce) f(row * step, std::integral_constant<int64_t, kNarrowRow * kRowsAtOnce>{});
    }
  }
  for (; row < rows; ++row) f(row * step, width);
}

/// A value for each channel of such a row.
template <class Width>
class RowValues {
 public:
  RowValues(const float* values, Width /*width*/) {
    if constexpr (is_narrow<Width>()) {
      for (int64_t row = 0; row < kRowsAtOnce; ++row) std::copy_n(values, kNarrowRow, values_ + row * kNarrowRow);
    } else {
      values_ = values;
    }
  }
  float operator[](int64_t channel) const { return values_[channel]; }
  const float* at(int64_t channel) const { return values_ + channel; }

 private:
  std::conditional_t<is_narrow<Width>(), float[kNarrowRow * kRowsAtOnce], const float*> values_;
};

/// Channels of a tile at most.
constexpr int64_t kTile = 2048;

/// Calls f(first channel of the tile, width) for the channels of a block: whole rows, so that memory is read in its order, unless
/// they are too wide for sums a channel in the first-level cache. The width is a constant where it is a common one.
template <class F>
void for_each_tile(int64_t block, const F& f) {
  for (int64_t c = 0; c < block; c += kTile) with_constant(std::min(kTile, block - c), [&](auto width) { f(c, width); });
}

/// Calls f(first channel, width) for groups of channels, in parallel: where pieces of a reduction are joined.
constexpr int64_t kChannelGroup = 64;
template <class F>
void for_each_channel_group(int64_t channels, const F& f) {
#pragma omp parallel for schedule(static)
  for (int64_t c = 0; c < channels; c += kChannelGroup) f(c, std::min(kChannelGroup, channels - c));
}

/// A value for each channel of a tile, zeros at first; kRows times where so many narrow rows are taken for one.
template <class Value, class Width, int64_t kRows = 1>
class TileValues {
 public:
  explicit TileValues(Width width) : width_(width) { std::fill_n(values_, size(), Value{}); }
  Value& operator[](int64_t channel) { return values_[channel]; }
  int64_t size() const { return kRows * width_; }
  /// Adds up what the rows gave their channels, and gives all of them the sum.
  void join_rows() {
    if constexpr (kRows > 1) {
      for (int64_t c = 0; c < Width::value; ++c) {
        Value sum{};
        for (int64_t row = 0; row < kRows; ++row) sum += values_[row * Width::value + c];
        for (int64_t row = 0; row < kRows; ++row) values_[row * Width::value + c] = sum;
      }
    }
  }
  /// Adds to the channels of a pack.
  template <class Pack, class Term>
  [[gnu::always_inline]] void add(Pack /*pack*/, int64_t channel, Term term) {
    Pack::store(values_ + channel, Pack::load(values_ + channel) + term);
  }

 private:
  static constexpr int64_t room() {
    if constexpr (std::is_integral_v<Width>) return kTile;
    else return Width::value * kRows;
  }
  [[no_unique_address]] Width width_;
  Value values_[room()];
};

/// Of the rows that for_each_wide_row gives.
template <class Value, class Width>
using WideValues = TileValues<Value, Width, is_narrow<Width>() ? kRowsAtOnce : 1>;

/// Asks for values that are read some rows later: with several streams the processor does not see early enough what comes next.
/// Rows narrower than a cache line are left to it.
template <class T>
[[gnu::always_inline]] inline void ask_ahead(const T* values, int64_t width) {
  constexpr int64_t kAhead = 32768 / sizeof(T), kLineValues = 64 / sizeof(T);
  for (int64_t c = 0; c + kLineValues <= width; c += kLineValues) __builtin_prefetch(values + c + kAhead);
}
