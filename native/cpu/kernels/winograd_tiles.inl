// Activations by tiles, and their transforms. Included by variant.cpp inside the variant's own namespace.

/// The tiles of an activation, `step` values apart; what lies outside reads as zeros.
class TileWalk {
 public:
  TileWalk(const Layout& layout, const WinogradShape& shape, int64_t first_row, int64_t first_column)
      : layout_(layout),
        step_(shape.tile),
        rows_(shape.tile_rows()),
        columns_(shape.tile_columns()),
        first_row_(first_row),
        first_column_(first_column) {}

  /// Offsets of a tile's values in the activation, or -1 outside.
  template <int kSize>
  void offsets(int64_t tile, int64_t (&offset)[kSize][kSize]) const {
    const int64_t image = tile / (rows_ * columns_) * layout_.blocks() * layout_.height;
    const int64_t y = tile / columns_ % rows_ * step_ + first_row_, x = tile % columns_ * step_ + first_column_;
    for (int i = 0; i < kSize; ++i) {
      for (int j = 0; j < kSize; ++j) {
        const bool inside = y + i >= 0 && y + i < layout_.height && x + j >= 0 && x + j < layout_.width;
        offset[i][j] = inside ? ((image + y + i) * layout_.width + x + j) * layout_.block() : -1;
      }
    }
  }

  /// What is to be added to a tile's offsets for this channel.
  int64_t channel(int64_t c) const {
    const int64_t block = layout_.block();
    return block == layout_.channels ? c : c / block * layout_.spatial() * block + c % block;
  }

  /// Asks for the lines of the tile after the next, to be read (0) or written (1): of so many rows at a time, each a few lines
  /// long, the processor does not see what comes next.
  template <int kSize, int kWritten, class T>
  [[gnu::always_inline]] void ask_ahead(const T* values, const int64_t (&offset)[kSize][kSize]) const {
    constexpr int kLinePixels = sizeof(float) / sizeof(T);  // 16 channels in float32 are a line
#pragma GCC unroll 8
    for (int i = 0; i < kSize; ++i) {
#pragma GCC unroll 8
      for (int j = 0; j < kSize; j += kLinePixels)
        __builtin_prefetch(values + offset[i][j] + 2 * step_ * layout_.block(), kWritten);
    }
  }

 private:
  Layout layout_;
  int64_t step_;
  int64_t rows_, columns_;
  int64_t first_row_, first_column_;
};

template <class T>
[[gnu::always_inline]] inline Vector load_or_zero(const T* values, int64_t offset) {
  return offset < 0 ? Vector{} : VectorPack::load(values + offset);
}

/// Where transformed tiles lie: (position, tile, channel), with a cache line between rows and between positions, so that powers
/// of two do not fall on the same sets of the cache.
struct TileOrder {
  int64_t tiles, channels;

  int64_t row() const { return channels + kLine; }
  int64_t position() const { return tiles * row() + kLine; }
  int64_t size(int64_t positions) const { return positions * position(); }
};

/// A transform of kFrom x kFrom values of each of the tiles first .. end - 1 to kTo x kTo: B^T d B or A dy A^T.
template <auto kTransform, int kFrom, int kTo, class T>
void transform_tiles(const TileWalk& walk, const T* x, const TileOrder& order, int64_t first, int64_t end, float* to) {
  const int64_t position = order.position();
  for (int64_t t = first; t < end; ++t, to += order.row()) {
    int64_t offset[kFrom][kFrom];
    walk.offsets(t, offset);
    for (int64_t c = 0; c < order.channels; c += kLanes) {
      const T* values = x + walk.channel(c);
      walk.ask_ahead<kFrom, 0>(values, offset);
      transform_tile<kTransform, kFrom, kTo>(
          [&](int i, int j) { return load_or_zero(values, offset[i][j]); },
          [&](int i, int j, Vector value) { store_vector(to + (i * kTo + j) * position + c, value); });
    }
  }
}

/// Row kRow of these transforms, of `order.channels` channels from first_channel on.
template <auto kTransform, int kFrom, int kTo, int kRow, class T>
void transform_tiles_row(const TileWalk& walk, const T* x, int64_t first_channel, const TileOrder& order, int64_t first,
                         int64_t end, float* to) {
  const int64_t position = order.position();
  for (int64_t t = first; t < end; ++t, to += order.row()) {
    int64_t offset[kFrom][kFrom];
    walk.offsets(t, offset);
    for (int64_t c = 0; c < order.channels; c += kLanes) {
      const T* values = x + walk.channel(first_channel + c);
      walk.ask_ahead<kFrom, 0>(values, offset);
      transform_tile_row<kTransform, kFrom, kTo, kRow>(
          [&](int i, int j) { return load_or_zero(values, offset[i][j]); },
          [&](int j, Vector value) { store_vector(to + j * position + c, value); });
    }
  }
}

/// A^T m A of tiles first .. end - 1.
template <class F, class T>
void transform_outputs(const TileWalk& walk, const float* from, const TileOrder& order, int64_t first, int64_t end,
                       const OutputStage& stage, T* y) {
  constexpr int kIn = F::kIn;
  const int64_t position = order.position();
  for (int64_t t = first; t < end; ++t, from += order.row()) {
    int64_t offset[F::kOut][F::kOut];
    walk.offsets(t, offset);
    for (int64_t c = 0; c < order.channels; c += kLanes) {
      T* values = y + walk.channel(c);
      walk.ask_ahead<F::kOut, 1>(values, offset);
      transform_tile<F::output, kIn, F::kOut>(
          [&](int i, int j) { return load_vector(from + (i * kIn + j) * position + c); },
          [&](int i, int j, Vector value) {
            T* to = values + offset[i][j];
            if (offset[i][j] >= 0) VectorPack::store(to, finish(stage, value, c, to));
          });
    }
  }
}
