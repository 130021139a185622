// Convolutions as products of matrices, forward and data gradient. Included by variant.cpp inside the variant's own namespace.
//
// A thread takes a block of output rows that stays in the second-level cache with its inputs, and for each panel of columns walks
// over the depth in pieces whose filters stay in the first-level cache.

/// Depth of a piece: a panel of filters of this depth and the rows that meet it fill the first-level cache.
constexpr int64_t kPieceDepth = 40960 / static_cast<int64_t>(kPanel * sizeof(float));

/// The channels of a tap in equal pieces, or several taps of few channels in one.
struct DepthPieces {
  DepthPieces(int64_t taps, int64_t depth) {
    const int64_t pieces = (depth + kPieceDepth - 1) / kPieceDepth;
    length = (depth + pieces - 1) / pieces;
    taps_at_once = pieces > 1 ? 1 : std::clamp<int64_t>(kPieceDepth / depth, 1, std::max<int64_t>(taps, 1));
  }
  int64_t length;        // channels
  int64_t taps_at_once;  // 1 where a tap has several pieces
};

/// One tile of a product over several taps: rows of `a` are wherever their pointers say.
struct TapTile {
  int64_t taps;
  const float* const* a;  // (taps, rows), taps a_tap pointers apart; the rows of the next tile follow
  int64_t a_tap;
  int64_t first_channel, depth;
  const float* b;  // (taps, depth, columns), taps b_tap values apart
  int64_t b_tap, b_depth;
  const float* start;  // added to the sums; null: what is at c
  bool adds;           // what is at c as well as the start
  bool clips;
  Bounds bounds;
  float* const* c;
  int64_t c_column;
};

template <int kRows, int kVectors>
void tap_tile(const TapTile& p) {
  Vector sums[kRows][kVectors];
  set_to_zero(sums);
  // Memory is slower than these products: what is written here and read next is asked for in time.
  for (int r = 0; r < kRows; ++r) {
    for (int n = 0; n < kVectors * kLanes; n += kLine) __builtin_prefetch(p.c[r] + p.c_column + n, 1);
  }
  for (int64_t t = 0; t < p.taps; ++t) {
    const float* const* rows = p.a + t * p.a_tap;
    const float* a[kRows];
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r) a[r] = rows[r] + p.first_channel;
    const float* b = p.b + t * p.b_tap;
    for (int64_t line = 0; line < p.depth; line += kLine) {
      for (int r = 0; r < kRows; ++r) __builtin_prefetch(rows[r + kRows] + p.first_channel + line);
      const int64_t end = std::min(line + kLine, p.depth);
      for (int64_t d = line; d < end; ++d, b += p.b_depth) {
        Vector values[kVectors];
#pragma GCC unroll 4
        for (int n = 0; n < kVectors; ++n) values[n] = load_vector(b + n * kLanes);
#pragma GCC unroll 8
        for (int r = 0; r < kRows; ++r) {
          const Vector factor = broadcast(a[r][d]);
#pragma GCC unroll 4
          for (int n = 0; n < kVectors; ++n) sums[r][n] += factor * values[n];
        }
      }
    }
  }
  // Pieces are summed by themselves: long chains of additions lose more.
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r) {
    float* to = p.c[r] + p.c_column;
    const float* from = p.start ? p.start : to;
#pragma GCC unroll 4
    for (int n = 0; n < kVectors; ++n) {
      Vector value = load_vector(from + n * kLanes) + sums[r][n];
      if (p.adds) value += load_vector(to + n * kLanes);
      store_vector(to + n * kLanes, p.clips ? clip(value, p.bounds) : value);
    }
  }
}

template <int kRows, int kVectors>
void tap_tile_rest(const TapTile& p, int64_t rows) {
  if constexpr (kRows > 0) {
    if (rows == kRows) return tap_tile<kRows, kVectors>(p);
    tap_tile_rest<kRows - 1, kVectors>(p, rows);
  }
}

template <int kVectors>
void tap_tiles(TapTile p, int64_t rows) {
  for (; rows >= kTileRows; rows -= kTileRows, p.a += kTileRows, p.c += kTileRows) tap_tile<kTileRows, kVectors>(p);
  tap_tile_rest<kTileRows - 1, kVectors>(p, rows);
}

/// Tiles of a panel of `vectors`.
inline void tap_tiles(const TapTile& p, int64_t rows, int64_t vectors) {
  if (vectors == 1) return tap_tiles<1>(p, rows);
  if (vectors == 2) return tap_tiles<2>(p, rows);
  if (vectors == 3) return tap_tiles<3>(p, rows);
  tap_tiles<4>(p, rows);
}

/// Rows that a thread computes at a time: blocks of nearly the same size, and so many blocks or panels that each thread gets as many.
/// Blocks end with a whole tile, unless there are so few that this would make one larger than the others.
inline int64_t tap_block_rows(const TapGrid& grid, int64_t taps, int64_t threads) {
  constexpr int64_t kBytes = 384 * 1024;
  const int64_t bytes_a_row = grid.in.channels * std::clamp<int64_t>(taps, 1, 4) * static_cast<int64_t>(sizeof(float));
  const int64_t wanted = std::clamp<int64_t>(kBytes / bytes_a_row, 96, 192);
  int64_t blocks = (grid.rows() + wanted - 1) / wanted;
  if (Panels(grid.out.channels).count % threads != 0) blocks = round_up(blocks, threads);
  const int64_t rows = (grid.rows() + blocks - 1) / blocks;
  return blocks <= threads ? rows : round_up(rows, kTileRows);
}

/// What a thread knows of its block of rows.
class TapBlock {
 public:
  static int64_t values(const TapGrid& grid, int64_t taps, int64_t threads) {
    const int64_t rows = tap_block_rows(grid, taps, threads);
    return round_up(((rows + kTileRows) * taps + rows) * pointer_values() + grid.in.channels + kTileRows * kPanel + kPanel, kLanes);
  }

  TapBlock(const TapProduct<float>& job, float* scratch)
      : job_(job), rows_at_once_(tap_block_rows(job.grid, taps(), job.threads)), row_pointers_(rows_at_once_ + kTileRows), pieces_(taps(), job.grid.in.channels), panels_(job.grid.out.channels) {
    sources_ = reinterpret_cast<const float**>(scratch);
    targets_ = reinterpret_cast<float**>(scratch + row_pointers_ * taps() * pointer_values());
    zeros_ = scratch + (row_pointers_ * taps() + rows_at_once_) * pointer_values();
    start_ = zeros_ + job.grid.in.channels;
    edge_ = start_ + kPanel;
    std::fill_n(zeros_, job.grid.in.channels, 0.0f);
    std::fill_n(sources_, row_pointers_ * taps(), zeros_);
  }

  int64_t rows_at_once() const { return rows_at_once_; }

  void go_to(int64_t first_row) {
    const TapGrid& grid = job_.grid;
    rows_ = std::min(rows_at_once_, grid.rows() - first_row);
    int64_t x = first_row % grid.width, y = first_row / grid.width % grid.height, image = first_row / grid.width / grid.height;
    // Neighbours in a line of the grid at a time.
    for (int64_t r = 0, count; r < rows_; r += count) {
      count = std::min(grid.width - x, rows_ - r);
      point_at_outputs(image, y, x, count, targets_ + r);
      for (int64_t t = 0; t < taps(); ++t)
        point_at_inputs(job_.taps[static_cast<size_t>(t)], image, y, x, count, sources_ + t * row_pointers_ + r);
      x = 0;
      if (++y < grid.height) continue;
      y = 0, ++image;
    }
  }

  void compute(int64_t panel) const {
    const int64_t first = panels_.begin(panel), width = panels_.width(panel), depth = job_.grid.in.channels;
    const int64_t columns = std::min(width, job_.grid.out.channels - first);
    std::fill_n(start_, kPanel, 0.0f);
    if (job_.stage.bias) std::copy_n(job_.stage.bias + first, columns, start_);
    const float* filters = job_.filters + first * taps() * depth;
    TapTile tile{.taps = 0,
                 .a = nullptr,
                 .a_tap = row_pointers_,
                 .first_channel = 0,
                 .depth = 0,
                 .b = nullptr,
                 .b_tap = depth * width,
                 .b_depth = width,
                 .start = start_,
                 .adds = false,
                 .clips = false,
                 .bounds = bounds(job_.stage.activation),
                 .c = targets_,
                 .c_column = first};
    if (taps() == 0) {
      for (int64_t r = 0; r < rows_; ++r) std::copy_n(start_, columns, targets_[r] + first);
      return;
    }
    if (width != columns) return compute_edge(tile, filters, width, columns);
    for (int64_t t = 0; t < taps(); t += pieces_.taps_at_once) {
      for (int64_t c = 0; c < depth; c += pieces_.length) {
        set_piece(tile, filters, t, c);
        tap_tiles(tile, rows_, width / kLanes);
      }
    }
  }

 private:
  static int64_t pointer_values() { return static_cast<int64_t>(sizeof(void*) / sizeof(float)); }
  int64_t taps() const { return static_cast<int64_t>(job_.taps.size()); }

  void point_at_outputs(int64_t image, int64_t y, int64_t x, int64_t count, float** to) const {
    const TapGrid& grid = job_.grid;
    const int64_t line = image * grid.out.height + grid.out_first_y + y * grid.out_step_y, step = grid.out_step_x * grid.out.channels;
    float* first = job_.y + (line * grid.out.width + grid.out_first_x + x * grid.out_step_x) * grid.out.channels;
    for (int64_t i = 0; i < count; ++i) to[i] = first + i * step;
  }

  void point_at_inputs(const Tap& tap, int64_t image, int64_t y, int64_t x, int64_t count, const float** to) const {
    const TapGrid& grid = job_.grid;
    const int64_t in_y = y * grid.in_step_y + tap.y;
    if (in_y < 0 || in_y >= grid.in.height) {
      std::fill_n(to, count, zeros_);
      return;
    }
    const float* line = job_.x + (image * grid.in.height + in_y) * grid.in.width * grid.in.channels;
    for (int64_t i = 0, in_x = x * grid.in_step_x + tap.x; i < count; ++i, in_x += grid.in_step_x)
      to[i] = in_x >= 0 && in_x < grid.in.width ? line + in_x * grid.in.channels : zeros_;
  }

  void set_piece(TapTile& tile, const float* filters, int64_t tap, int64_t channel) const {
    tile.taps = std::min(pieces_.taps_at_once, taps() - tap);
    tile.a = sources_ + tap * row_pointers_;
    tile.first_channel = channel;
    tile.depth = std::min(pieces_.length, job_.grid.in.channels - channel);
    tile.b = filters + tap * tile.b_tap + channel * tile.b_depth;
    const bool begins = tap == 0 && channel == 0;
    tile.start = begins ? start_ : nullptr;
    tile.adds = begins && job_.stage.adds;
    tile.clips = job_.stage.activation.present && tap + tile.taps == taps() && channel + tile.depth == job_.grid.in.channels;
  }

  /// A panel whose last vector is not full goes by way of a buffer.
  void compute_edge(TapTile tile, const float* filters, int64_t width, int64_t columns) const {
    float* buffer[kTileRows];
    for (int64_t r = 0; r < kTileRows; ++r) buffer[r] = edge_ + r * kPanel;
    const int64_t first = tile.c_column;
    tile.c = buffer;
    tile.c_column = 0;
    for (int64_t row = 0; row < rows_; row += kTileRows) {
      const int64_t count = std::min<int64_t>(kTileRows, rows_ - row);
      if (job_.stage.adds) {
        for (int64_t r = 0; r < count; ++r) std::copy_n(targets_[row + r] + first, columns, buffer[r]);
      }
      for (int64_t t = 0; t < taps(); t += pieces_.taps_at_once) {
        for (int64_t c = 0; c < job_.grid.in.channels; c += pieces_.length) {
          set_piece(tile, filters, t, c);
          tile.a += row;
          tap_tiles(tile, count, width / kLanes);
        }
      }
      for (int64_t r = 0; r < count; ++r) std::copy_n(buffer[r], columns, targets_[row + r] + first);
    }
  }

  const TapProduct<float>& job_;
  int64_t rows_at_once_;
  int64_t row_pointers_;  // of a tap: a tile more, which the last tile asks for
  DepthPieces pieces_;
  Panels panels_;
  int64_t rows_ = 0;
  const float** sources_;  // (taps, rows)
  float** targets_;        // (rows)
  float* zeros_;           // what taps outside the image read
  float* start_;
  float* edge_;
};

inline int64_t tap_product_scratch(const TapGrid& grid, std::span<const Tap> taps, int64_t threads) {
  return threads * TapBlock::values(grid, static_cast<int64_t>(taps.size()), threads);
}

inline void tap_product(const TapProduct<float>& job) {
  const int64_t taps = static_cast<int64_t>(job.taps.size());
  const int64_t panels = Panels(job.grid.out.channels).count;
  const int64_t rows = tap_block_rows(job.grid, taps, job.threads), blocks = (job.grid.rows() + rows - 1) / rows;
#pragma omp parallel num_threads(static_cast<int>(job.threads))
  {
    const int64_t thread = omp_get_thread_num(), threads = omp_get_num_threads();
    TapBlock block(job, job.scratch + thread * TapBlock::values(job.grid, taps, job.threads));
    int64_t present = -1;
    for (int64_t task = blocks * panels * thread / threads; task < blocks * panels * (thread + 1) / threads; ++task) {
      if (task / panels != present) block.go_to((present = task / panels) * rows);
      block.compute(task % panels);
    }
  }
}

constexpr TapProductKernels<float> kTapProduct = {
    .filter_values = tap_filter_values,
    .filters = tap_filters,
    .product_scratch = tap_product_scratch,
    .product = tap_product,
    .weight_gradient_scratch = tap_gradient_scratch,
    .weight_gradient = tap_weight_gradient,
};
