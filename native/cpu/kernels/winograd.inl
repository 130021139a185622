// Winograd's minimal filtering F(2 x 2, 3 x 3) for 3 x 3 convolutions of stride 1: 16 products where the definition has 36.
// Included by variant.cpp inside the variant's own namespace.
//
//   y = A^T [(G g G^T) * (B^T d B)] A         d: 4 x 4 inputs, g: 3 x 3 filter, y: 2 x 2 outputs, summed over the input channels
//   dg = G^T [(A dy A^T) * (B^T d B)] G       summed over all tiles of the batch
//
//         | 1  0 -1  0 |        | 1    0    0   |        | 1  1  1  0 |
//   B^T = | 0  1  1  0 |    G = | 1/2  1/2  1/2 |  A^T = | 0  1 -1 -1 |
//         | 0 -1  1  0 |        | 1/2 -1/2  1/2 |
//         | 0  1  0 -1 |        | 0    0    1   |
//
// A. Lavin and S. Gray, Fast Algorithms for Convolutional Neural Networks (2015). The factors are exact in binary, so that the only
// rounding is that of the additions; sums over channels are a ninth as long as those of the definition.

constexpr int64_t kPositions = 16;  // of a transformed tile

/// Columns of one panel of transformed filters.
inline int64_t winograd_panel(int64_t columns) { return columns % (kWide * kLanes) == 0 ? kWide * kLanes : kNarrow * kLanes; }

/// B^T d B of 4 x 4 values.
[[gnu::always_inline]] inline void transform_input(Vector (&d)[4][4]) {
  for (int j = 0; j < 4; ++j) {
    const Vector d0 = d[0][j], d1 = d[1][j], d2 = d[2][j], d3 = d[3][j];
    d[0][j] = d0 - d2, d[1][j] = d1 + d2, d[2][j] = d2 - d1, d[3][j] = d1 - d3;
  }
  for (int i = 0; i < 4; ++i) {
    const Vector d0 = d[i][0], d1 = d[i][1], d2 = d[i][2], d3 = d[i][3];
    d[i][0] = d0 - d2, d[i][1] = d1 + d2, d[i][2] = d2 - d1, d[i][3] = d1 - d3;
  }
}

/// A^T m A of 4 x 4 values, into the first 2 x 2.
[[gnu::always_inline]] inline void transform_output(Vector (&m)[4][4]) {
  for (int j = 0; j < 4; ++j) {
    const Vector sum = m[1][j] + m[2][j], difference = m[1][j] - m[2][j];
    m[0][j] += sum, m[1][j] = difference - m[3][j];
  }
  for (int i = 0; i < 2; ++i) {
    const Vector sum = m[i][1] + m[i][2], difference = m[i][1] - m[i][2];
    m[i][0] += sum, m[i][1] = difference - m[i][3];
  }
}

/// A dy A^T of the first 2 x 2 values.
[[gnu::always_inline]] inline void transform_output_gradient(Vector (&m)[4][4]) {
  for (int j = 0; j < 2; ++j) {
    const Vector a = m[0][j], b = m[1][j];
    m[1][j] = a + b, m[2][j] = a - b, m[3][j] = -b;
  }
  for (int i = 0; i < 4; ++i) {
    const Vector a = m[i][0], b = m[i][1];
    m[i][1] = a + b, m[i][2] = a - b, m[i][3] = -b;
  }
}

/// G g G^T of the first 3 x 3 values.
[[gnu::always_inline]] inline void transform_filter(Vector (&g)[4][4]) {
  for (int j = 0; j < 3; ++j) {
    const Vector ends = 0.5f * (g[0][j] + g[2][j]), middle = 0.5f * g[1][j];
    g[3][j] = g[2][j], g[1][j] = ends + middle, g[2][j] = ends - middle;
  }
  for (int i = 0; i < 4; ++i) {
    const Vector ends = 0.5f * (g[i][0] + g[i][2]), middle = 0.5f * g[i][1];
    g[i][3] = g[i][2], g[i][1] = ends + middle, g[i][2] = ends - middle;
  }
}

/// G^T u G of 4 x 4 values, into the first 3 x 3.
[[gnu::always_inline]] inline void transform_filter_gradient(Vector (&u)[4][4]) {
  for (int j = 0; j < 4; ++j) {
    const Vector sum = 0.5f * (u[1][j] + u[2][j]), difference = 0.5f * (u[1][j] - u[2][j]);
    u[0][j] += sum, u[1][j] = difference, u[2][j] = sum + u[3][j];
  }
  for (int i = 0; i < 3; ++i) {
    const Vector sum = 0.5f * (u[i][1] + u[i][2]), difference = 0.5f * (u[i][1] - u[i][2]);
    u[i][0] += sum, u[i][1] = difference, u[i][2] = sum + u[i][3];
  }
}

/// The tiles of an activation, `step` values apart, `size` values wide; what lies outside reads as zeros.
class TileWalk {
 public:
  TileWalk(const Layout& layout, int64_t tile_rows, int64_t tile_columns, int64_t first_row, int64_t first_column)
      : layout_(layout), rows_(tile_rows), columns_(tile_columns), first_row_(first_row), first_column_(first_column) {}

  /// Offsets of a tile's values in the activation, or -1 outside.
  template <int kSize>
  void offsets(int64_t tile, int64_t (&offset)[kSize][kSize]) const {
    const int64_t image = tile / (rows_ * columns_);
    const int64_t y = tile / columns_ % rows_ * 2 + first_row_, x = tile % columns_ * 2 + first_column_;
    for (int i = 0; i < kSize; ++i) {
      for (int j = 0; j < kSize; ++j) {
        const bool inside = y + i >= 0 && y + i < layout_.height && x + j >= 0 && x + j < layout_.width;
        offset[i][j] = inside ? ((image * layout_.height + y + i) * layout_.width + x + j) * layout_.channels : -1;
      }
    }
  }

 private:
  Layout layout_;
  int64_t rows_, columns_;
  int64_t first_row_, first_column_;
};

[[gnu::always_inline]] inline Vector load_or_zero(const float* values, int64_t offset, int64_t channel) {
  return offset < 0 ? Vector{} : load_vector(values + offset + channel);
}

/// Where transformed tiles lie: (position, tile, channel), with a cache line between rows and between positions, so that powers of
/// two do not fall on the same sets of the cache.
struct TileOrder {
  int64_t tiles, channels;

  int64_t row() const { return channels + kLine; }
  int64_t position() const { return tiles * row() + kLine; }
  int64_t size() const { return kPositions * position(); }
};

/// B^T d B of tiles first .. end - 1.
inline void transform_inputs(const TileWalk& walk, const float* x, const TileOrder& order, int64_t first, int64_t end, float* to) {
  const int64_t channels = order.channels, position = order.position();
  for (int64_t t = first; t < end; ++t, to += order.row()) {
    int64_t offset[4][4];
    walk.offsets(t, offset);
    for (int64_t c = 0; c < channels; c += kLanes) {
      Vector d[4][4];
      for (int i = 0; i < 4; ++i) {
        for (int j = 0; j < 4; ++j) d[i][j] = load_or_zero(x, offset[i][j], c);
      }
      transform_input(d);
      for (int i = 0; i < 4; ++i) {
        for (int j = 0; j < 4; ++j) store_vector(to + (i * 4 + j) * position + c, d[i][j]);
      }
    }
  }
}

/// A dy A^T likewise.
inline void transform_output_gradients(const TileWalk& walk, const float* dy, const TileOrder& order, int64_t first, int64_t end,
                                       float* to) {
  const int64_t channels = order.channels, position = order.position();
  for (int64_t t = first; t < end; ++t, to += order.row()) {
    int64_t offset[2][2];
    walk.offsets(t, offset);
    for (int64_t c = 0; c < channels; c += kLanes) {
      Vector m[4][4];
      for (int i = 0; i < 2; ++i) {
        for (int j = 0; j < 2; ++j) m[i][j] = load_or_zero(dy, offset[i][j], c);
      }
      transform_output_gradient(m);
      for (int i = 0; i < 4; ++i) {
        for (int j = 0; j < 4; ++j) store_vector(to + (i * 4 + j) * position + c, m[i][j]);
      }
    }
  }
}

/// A^T m A of tiles first .. end - 1.
inline void transform_outputs(const TileWalk& walk, const float* from, const TileOrder& order, int64_t first, int64_t end,
                              const OutputStage& stage, float* y) {
  const int64_t channels = order.channels, position = order.position();
  for (int64_t t = first; t < end; ++t, from += order.row()) {
    int64_t offset[2][2];
    walk.offsets(t, offset);
    for (int64_t c = 0; c < channels; c += kLanes) {
      Vector m[4][4];
      for (int i = 0; i < 4; ++i) {
        for (int j = 0; j < 4; ++j) m[i][j] = load_vector(from + (i * 4 + j) * position + c);
      }
      transform_output(m);
      for (int i = 0; i < 2; ++i) {
        for (int j = 0; j < 2; ++j) {
          float* to = y + offset[i][j] + c;
          if (offset[i][j] >= 0) store_vector(to, finish(stage, m[i][j], c, to));
        }
      }
    }
  }
}

/// Transformed filters lie in the order (position, panel, depth, panel's columns), with a cache line between positions for the
/// same reason.
inline int64_t filter_position(int64_t columns, int64_t depth) { return columns * depth + kLine; }

inline int64_t winograd_filter_values(int64_t columns, int64_t depth) { return kPositions * filter_position(columns, depth); }

/// Channels whose products are summed by themselves: shorter chains of additions lose less. Half as many gave errors a tenth smaller
/// and took a tenth more time.
constexpr int64_t kDepthAtOnce = 128;

/// The first `rows` tiles of `out` = tiles of `in` * filters.
inline void filter_tiles(int64_t rows, const TileOrder& in, const float* inputs, const float* filters, const TileOrder& out,
                         float* outputs) {
  const int64_t depth = in.channels, columns = out.channels, panel = winograd_panel(columns);
  const int64_t pieces = (depth + kDepthAtOnce - 1) / kDepthAtOnce, piece = round_up((depth + pieces - 1) / pieces, kLanes);
  for (int64_t position = 0; position < kPositions; ++position) {
    for (int64_t n = 0; n < columns; n += panel) {
      for (int64_t d = 0; d < depth; d += piece) {
        const Product p{.depth = std::min(piece, depth - d),
                        .a = inputs + position * in.position() + d,
                        .a_row = in.row(),
                        .a_depth = 1,
                        .b = filters + position * filter_position(columns, depth) + n * depth + d * panel,
                        .b_depth = panel,
                        .c = outputs + position * out.position() + n,
                        .c_row = out.row()};
        if (panel == kWide * kLanes) {
          d == 0 ? product<kWide, false, false>(p, rows) : product<kWide, true, false>(p, rows);
        } else {
          d == 0 ? product<kNarrow, false, false>(p, rows) : product<kNarrow, true, false>(p, rows);
        }
      }
    }
  }
}

/// Filters (out, in, 3, 3) of kLanes outputs and inputs: transformed[position][in] holds a vector of outputs.
inline void transform_filters(const float* weights, int64_t in_channels, bool turned, Vector (&transformed)[kPositions][kLanes]) {
  Vector taps[9][kLanes];  // as loaded: vectors of (in, tap); transposed: vectors of outputs
  for (int part = 0; part < 9; ++part) {
    for (int k = 0; k < kLanes; ++k) taps[part][k] = load_vector(weights + k * in_channels * 9 + part * kLanes);
    transpose(taps[part]);
  }
  const Vector* in_order = taps[0];  // (in, tap)
  for (int c = 0; c < kLanes; ++c) {
    Vector g[4][4];
    for (int i = 0; i < 3; ++i) {
      for (int j = 0; j < 3; ++j) g[i][j] = in_order[c * 9 + (turned ? 8 - (i * 3 + j) : i * 3 + j)];
    }
    transform_filter(g);
    for (int i = 0; i < 4; ++i) {
      for (int j = 0; j < 4; ++j) transformed[i * 4 + j][c] = g[i][j];
    }
  }
}

inline void winograd_filters(const WinogradFilters& job) {
  const int64_t columns = job.columns, depth = job.depth, panel = winograd_panel(columns);
  const int64_t in_channels = job.data_gradient ? columns : depth;
#pragma omp parallel for collapse(2) schedule(static)
  for (int64_t n = 0; n < columns; n += kLanes) {
    for (int64_t d = 0; d < depth; d += kLanes) {
      const int64_t out = job.data_gradient ? d : n, in = job.data_gradient ? n : d;
      Vector transformed[kPositions][kLanes];
      transform_filters(job.weights + (out * in_channels + in) * 9, in_channels, job.data_gradient, transformed);
      float* to = job.transformed + n / panel * panel * depth + d * panel + n % panel;
      for (int64_t position = 0; position < kPositions; ++position, to += filter_position(columns, depth)) {
        if (job.data_gradient) transpose(transformed[position]);
        for (int64_t k = 0; k < kLanes; ++k) store_vector(to + k * panel, transformed[position][k]);
      }
    }
  }
}

/// Tiles that a thread transforms and multiplies at a time: few enough that they stay in the second-level cache, enough that a
/// pass over the filters pays.
inline int64_t winograd_tiles_at_once(const WinogradShape& shape, int64_t threads) {
  constexpr int64_t kBytes = 512 * 1024;
  const int64_t bytes_a_tile = kPositions * (shape.in.channels + shape.out.channels) * static_cast<int64_t>(sizeof(float));
  const int64_t share = (shape.tiles() + threads - 1) / threads;
  const int64_t wanted = std::clamp<int64_t>(kBytes / bytes_a_tile, 60, 126);
  const int64_t pieces = (share + wanted - 1) / wanted;
  const int64_t even = (share + pieces - 1) / pieces;
  return (even + kTileRows - 1) / kTileRows * kTileRows;
}

inline int64_t winograd_scratch(const WinogradShape& shape, int64_t threads) {
  const int64_t tiles = winograd_tiles_at_once(shape, threads);
  return threads * (TileOrder{tiles, shape.in.channels}.size() + TileOrder{tiles, shape.out.channels}.size());
}

inline void winograd_convolution(const WinogradConvolution& job) {
  const WinogradShape& shape = job.shape;
  const int64_t tiles = shape.tiles(), at_once = winograd_tiles_at_once(shape, job.threads);
  const TileOrder in{at_once, shape.in.channels}, out{at_once, shape.out.channels};
  const TileWalk x(shape.in, shape.tile_rows(), shape.tile_columns(), -shape.padding_height, -shape.padding_width);
  const TileWalk y(shape.out, shape.tile_rows(), shape.tile_columns(), 0, 0);
#pragma omp parallel num_threads(static_cast<int>(job.threads))
  {
    float* inputs = job.scratch + omp_get_thread_num() * (in.size() + out.size());
    float* outputs = inputs + in.size();
#pragma omp for schedule(static)
    for (int64_t first = 0; first < tiles; first += at_once) {
      const int64_t end = std::min(first + at_once, tiles);
      transform_inputs(x, job.x, in, first, end, inputs);
      filter_tiles(end - first, in, inputs, job.filters, out, outputs);
      transform_outputs(y, outputs, out, first, end, job.stage, job.y);
    }
  }
}

/// Tiles of a batch that are transformed before their products are summed. Not by the number of threads: the order of the sums
/// depends on it.
inline int64_t winograd_gradient_tiles(const WinogradShape& shape) {
  constexpr int64_t kBytes = 1 << 20;
  const int64_t bytes_a_tile = kPositions * (shape.in.channels + shape.out.channels) * static_cast<int64_t>(sizeof(float));
  return std::min(std::max<int64_t>(kBytes / bytes_a_tile, 128), shape.tiles());
}

inline int64_t winograd_gradient_scratch(const WinogradShape& shape) {
  const int64_t tiles = winograd_gradient_tiles(shape);
  return TileOrder{tiles, shape.in.channels}.size() + TileOrder{tiles, shape.out.channels}.size() +
         kPositions * shape.in.channels * shape.out.channels;
}

/// G^T u G of (position, in, out) into (out, in, 3, 3).
inline void winograd_store_gradient(const WinogradWeightGradient& job, const float* sums) {
  const int64_t rows = job.shape.in.channels, columns = job.shape.out.channels;
#pragma omp for collapse(2) schedule(static)
  for (int64_t n = 0; n < columns; n += kLanes) {
    for (int64_t r = 0; r < rows; r += kLanes) {
      Vector taps[9][kLanes];  // (in, tap): vectors of outputs; transposed: vectors of (in, tap)
      Vector* in_order = taps[0];
      for (int c = 0; c < kLanes; ++c) {
        Vector u[4][4];
        for (int i = 0; i < 4; ++i) {
          for (int j = 0; j < 4; ++j) u[i][j] = load_vector(sums + ((i * 4 + j) * rows + r + c) * columns + n);
        }
        transform_filter_gradient(u);
        for (int i = 0; i < 3; ++i) {
          for (int j = 0; j < 3; ++j) in_order[c * 9 + i * 3 + j] = u[i][j];
        }
      }
      for (int part = 0; part < 9; ++part) {
        transpose(taps[part]);
        float* to = job.gradient + (n * rows + r) * 9 + part * kLanes;
        for (int k = 0; k < kLanes; ++k, to += rows * 9) store_vector(to, job.accumulate ? load_vector(to) + taps[part][k] : taps[part][k]);
      }
    }
  }
}

inline void winograd_weight_gradient(const WinogradWeightGradient& job) {
  const WinogradShape& shape = job.shape;
  const int64_t rows = shape.in.channels, columns = shape.out.channels, tiles = shape.tiles();
  const int64_t at_once = winograd_gradient_tiles(shape), panel = winograd_panel(columns);
  const TileOrder in{at_once, rows}, out{at_once, columns};
  const TileWalk x(shape.in, shape.tile_rows(), shape.tile_columns(), -shape.padding_height, -shape.padding_width);
  const TileWalk dy(shape.out, shape.tile_rows(), shape.tile_columns(), 0, 0);
  float* inputs = job.scratch;
  float* gradients = inputs + in.size();
  float* sums = gradients + out.size();  // (position, in, out)
  constexpr int64_t kTiles = 16;
  constexpr int64_t kRows = 8 * kTileRows;
#pragma omp parallel
  {
    for (int64_t first = 0; first < tiles; first += at_once) {
      const int64_t count = std::min(at_once, tiles - first);
#pragma omp for schedule(static)
      for (int64_t t = 0; t < count; t += kTiles) {
        const int64_t end = first + std::min(t + kTiles, count);
        transform_inputs(x, job.x, in, first + t, end, inputs + t * in.row());
        transform_output_gradients(dy, job.dy, out, first + t, end, gradients + t * out.row());
      }
#pragma omp for collapse(3) schedule(static)
      for (int64_t position = 0; position < kPositions; ++position) {
        for (int64_t r = 0; r < rows; r += kRows) {
          for (int64_t n = 0; n < columns; n += panel) {
            const Product p{.depth = count,
                            .a = inputs + position * in.position() + r,
                            .a_row = 1,
                            .a_depth = in.row(),
                            .b = gradients + position * out.position() + n,
                            .b_depth = out.row(),
                            .c = sums + (position * rows + r) * columns + n,
                            .c_row = columns};
            const int64_t piece = std::min(kRows, rows - r);
            if (panel == kWide * kLanes) {
              first == 0 ? product<kWide, false, true>(p, piece) : product<kWide, true, true>(p, piece);
            } else {
              first == 0 ? product<kNarrow, false, true>(p, piece) : product<kNarrow, true, true>(p, piece);
            }
          }
        }
      }
    }
    winograd_store_gradient(job, sums);
  }
}

constexpr WinogradKernels kWinograd = {
    .channels = kNarrow * kLanes,
    .filter_values = winograd_filter_values,
    .filters = winograd_filters,
    .convolution_scratch = winograd_scratch,
    .convolution = winograd_convolution,
    .weight_gradient_scratch = winograd_gradient_scratch,
    .weight_gradient = winograd_weight_gradient,
};
