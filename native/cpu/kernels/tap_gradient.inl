// Weight gradients of convolutions as products of matrices. Included by variant.cpp inside the variant's own namespace.
//
//   dW(out, in, tap) = sum over rows of dy(row, out) * x(row's pixel under the tap, in)
//
// The rows are cut into chunks whose sums are joined at the end, chunk by chunk, so that threads have enough to do; chunks depend
// on the layout alone.

/// Rows that are multiplied at a time: a panel of x of so many rows lies in the first-level cache.
constexpr int64_t kGradientRows = 32768 / static_cast<int64_t>(kPanel * sizeof(float));

/// How a weight gradient is cut.
struct GradientPieces {
  GradientPieces(const TapGrid& grid, int64_t taps_in_all) : taps(taps_in_all), in(grid.in.channels), out(grid.out.channels), panels(in) {
    const int64_t blocks = (grid.rows() + kGradientRows - 1) / kGradientRows;
    const int64_t wanted = std::max<int64_t>(1, std::min<int64_t>(32 / (panels.count * taps), blocks / 4));
    const int64_t blocks_a_chunk = (blocks + wanted - 1) / wanted;
    chunk_rows = blocks_a_chunk * kGradientRows;
    chunks = (blocks + blocks_a_chunk - 1) / blocks_a_chunk;
  }
  /// Whether the sums are the gradient as they are.
  bool direct() const { return chunks == 1 && taps == 1 && in % kLanes == 0; }
  int64_t row() const { return round_up(in, kLanes); }
  int64_t chunk_values() const { return taps * out * row(); }

  int64_t taps, in, out;
  Panels panels;
  int64_t chunks, chunk_rows;
};

inline int64_t tap_gradient_scratch(const TapGrid& grid, std::span<const Tap> taps, int64_t threads) {
  const GradientPieces pieces(grid, static_cast<int64_t>(taps.size()));
  return threads * kGradientRows * kPanel + (pieces.direct() ? 0 : pieces.chunks * pieces.chunk_values());
}

/// `width` values from channel `channel` on of the pixels under a tap, row by row.
inline void pack_pixels(const TapGrid& grid, const Tap& tap, const float* x, int64_t first_row, int64_t rows, int64_t channel,
                        int64_t width, float* to) {
  const int64_t filled = std::min(width, grid.in.channels - channel);
  int64_t column = first_row % grid.width, line = first_row / grid.width % grid.height;
  int64_t image = first_row / grid.width / grid.height;
  for (int64_t r = 0; r < rows; ++r, to += width) {
    const int64_t in_y = line * grid.in_step_y + tap.y, in_x = column * grid.in_step_x + tap.x;
    const bool inside = in_y >= 0 && in_y < grid.in.height && in_x >= 0 && in_x < grid.in.width;
    if (inside) {
      const float* from = x + ((image * grid.in.height + in_y) * grid.in.width + in_x) * grid.in.channels + channel;
      if (filled == kPanel) {
#pragma GCC unroll 4
        for (int64_t n = 0; n < kPanel; n += kLanes) store_vector(to + n, load_vector(from + n));
      } else {
        std::copy_n(from, filled, to);
        std::fill(to + filled, to + width, 0.0f);
      }
    } else {
      std::fill_n(to, width, 0.0f);
    }
    if (++column < grid.width) continue;
    column = 0;
    if (++line < grid.height) continue;
    line = 0, ++image;
  }
}

/// What the next product of a thread reads: its rows of dy and its pixels. Tile by tile of the present one they are asked for.
struct GradientAhead {
  const float* dy;
  const float* pixels = nullptr;  // or null
  int64_t pixel_step = 0;

  void set(Product& p, int64_t tile, int64_t panel_lines, int64_t out) const {
    const int64_t lines = pixels ? panel_lines : 0, last = lines + (out + kLine - 1) / kLine - 1;
    tile = std::min(tile, last);
    p.next = tile < lines ? pixels + tile * kLine : dy + (tile - lines) * p.depth * kLine;
    p.next_step = tile < lines ? pixel_step : kLine;
  }
};

/// c = a^T b or c += a^T b for `out` rows and a panel of columns.
template <int kVectors, bool kAdd>
void gradient_tiles(Product p, int64_t out, const GradientAhead& ahead) {
  const int64_t tiles = out / kTileRows;
  ahead.set(p, 0, kVectors * kLanes / kLine, out);
  for (int64_t tile = 0; tile < tiles; ++tile) {
    ahead.set(p, tile, kVectors * kLanes / kLine, out);
    product_tile<kTileRows, kVectors, kAdd, true, true>(p);
    p.a += kTileRows;
    p.c += kTileRows * p.c_row;
  }
  product_rest<kTileRows - 1, kVectors, kAdd, true, true>(p, out % kTileRows);
}

template <bool kAdd>
void gradient_tiles(const Product& p, int64_t out, int64_t width, const GradientAhead& ahead) {
  if (width == kLanes) return gradient_tiles<1, kAdd>(p, out, ahead);
  if (width == 2 * kLanes) return gradient_tiles<2, kAdd>(p, out, ahead);
  if (width == 3 * kLanes) return gradient_tiles<3, kAdd>(p, out, ahead);
  gradient_tiles<4, kAdd>(p, out, ahead);
}

/// The pixel that a row reads under a tap, or one near it.
inline const float* pixel_near(const TapGrid& grid, const Tap& tap, const float* x, int64_t row) {
  const int64_t column = row % grid.width, line = row / grid.width % grid.height, image = row / grid.width / grid.height;
  const int64_t y = line * grid.in_step_y + tap.y, c = column * grid.in_step_x + tap.x;
  return x + std::clamp<int64_t>((image * grid.in.height + y) * grid.in.width + c, 0, grid.in.images * grid.in.spatial() - 1) * grid.in.channels;
}

/// Adds up chunks of (tap, out, in) into (out, in, tap).
inline void join_chunks(const GradientPieces& pieces, const float* sums, bool accumulate, float* gradient) {
#pragma omp for schedule(static)
  for (int64_t n = 0; n < pieces.out; ++n) {
    for (int64_t t = 0; t < pieces.taps; ++t) {
      const float* from = sums + (t * pieces.out + n) * pieces.row();
      float* to = gradient + n * pieces.in * pieces.taps + t;
      for (int64_t c = 0; c < pieces.in; ++c) {
        float sum = from[c];
        for (int64_t chunk = 1; chunk < pieces.chunks; ++chunk) sum += from[chunk * pieces.chunk_values() + c];
        float& target = to[c * pieces.taps];
        target = accumulate ? target + sum : sum;
      }
    }
  }
}

inline void tap_weight_gradient(const TapWeightGradient<float>& job) {
  const TapGrid& grid = job.grid;
  const GradientPieces pieces(grid, static_cast<int64_t>(job.taps.size()));
  const bool direct = pieces.direct();
  float* sums = direct ? job.gradient : job.scratch + job.threads * kGradientRows * kPanel;
#pragma omp parallel num_threads(static_cast<int>(job.threads))
  {
    float* panel = job.scratch + omp_get_thread_num() * kGradientRows * kPanel;
#pragma omp for collapse(3) schedule(static)
    for (int64_t chunk = 0; chunk < pieces.chunks; ++chunk) {
      for (int64_t t = 0; t < pieces.taps; ++t) {
        for (int64_t n = 0; n < pieces.panels.count; ++n) {
          const int64_t channel = pieces.panels.begin(n), width = pieces.panels.width(n);
          const int64_t begin = chunk * pieces.chunk_rows, end = std::min(begin + pieces.chunk_rows, grid.rows());
          for (int64_t row = begin; row < end; row += kGradientRows) {
            const int64_t rows = std::min(kGradientRows, end - row);
            pack_pixels(grid, job.taps[static_cast<size_t>(t)], job.x, row, rows, channel, width, panel);
            const Product p{.depth = rows,
                            .a = job.dy + row * pieces.out,
                            .a_row = 1,
                            .a_depth = pieces.out,
                            .b = panel,
                            .b_depth = width,
                            .c = sums + chunk * pieces.chunk_values() + t * pieces.out * pieces.row() + channel,
                            .c_row = pieces.row()};
            const bool add = row > begin || (direct && job.accumulate);
            const int64_t next = row + rows < end ? row + rows : row;
            const GradientAhead ahead{job.dy + next * pieces.out,
                                      pixel_near(grid, job.taps[static_cast<size_t>(t)], job.x, next) + channel,
                                      grid.in_step_x * grid.in.channels};
            add ? gradient_tiles<true>(p, pieces.out, width, ahead) : gradient_tiles<false>(p, pieces.out, width, ahead);
          }
        }
      }
    }
    if (!direct) join_chunks(pieces, sums, job.accumulate, job.gradient);
  }
}
