// Winograd's minimal filtering for convolutions of stride 1: with 3 x 3 filters 16 products for 4 outputs, or 36 for 16, where
// the definition has 36 or 144; with 5 x 5 filters 64 for 16, where it has 400. Sums go over channels alone, the definition's
// over taps as well. Included by variant.cpp inside the variant's own namespace.

/// Channels whose products are summed by themselves: shorter chains of additions lose less. Half as many gave errors a tenth
/// smaller and took a tenth more time.
constexpr int64_t kDepthAtOnce = 128;

/// The first `rows` tiles of `out` = tiles of `in` * filters.
template <class F>
void filter_tiles(int64_t rows, const TileOrder& in, const float* inputs, const float* filters, const TileOrder& out,
                  float* outputs) {
  const int64_t depth = in.channels, columns = out.channels, panel = winograd_panel(columns);
  const int64_t pieces = (depth + kDepthAtOnce - 1) / kDepthAtOnce, piece = round_up((depth + pieces - 1) / pieces, kLanes);
  for (int64_t position = 0; position < kPositions<F>; ++position) {
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

/// Tiles that a thread transforms and multiplies at a time: few enough that they stay in the second-level cache, enough that a
/// pass over the filters pays.
template <class F>
int64_t winograd_tiles_at_once(const WinogradShape& shape, int64_t threads) {
  constexpr int64_t kBytes = 512 * 1024;
  const int64_t bytes_a_tile = kPositions<F> * (shape.in.channels + shape.out.channels) * static_cast<int64_t>(sizeof(float));
  const int64_t share = (shape.tiles() + threads - 1) / threads;
  const int64_t wanted = std::clamp<int64_t>(kBytes / bytes_a_tile, 60, 126);
  const int64_t pieces = (share + wanted - 1) / wanted;
  const int64_t even = (share + pieces - 1) / pieces;
  return (even + kTileRows - 1) / kTileRows * kTileRows;
}

template <class F>
int64_t winograd_scratch(const WinogradShape& shape, int64_t threads) {
  const int64_t tiles = winograd_tiles_at_once<F>(shape, threads);
  return threads *
         (TileOrder{tiles, shape.in.channels}.size(kPositions<F>) + TileOrder{tiles, shape.out.channels}.size(kPositions<F>));
}

template <class T, class F>
void winograd_convolution(const WinogradConvolution<T>& job) {
  constexpr int kIn = F::kIn;
  constexpr int64_t positions = kPositions<F>;
  const WinogradShape& shape = job.shape;
  const int64_t tiles = shape.tiles(), at_once = winograd_tiles_at_once<F>(shape, job.threads);
  const TileOrder in{at_once, shape.in.channels}, out{at_once, shape.out.channels};
  const TileWalk x(shape.in, shape, -shape.padding_height, -shape.padding_width);
  const TileWalk y(shape.out, shape, 0, 0);
#pragma omp parallel num_threads(static_cast <int>(job.threads))
  {
    float* inputs = job.scratch + omp_get_thread_num() * (in.size(positions) + out.size(positions));
    float* outputs = inputs + in.size(positions);
#pragma omp for schedule(static)
    for (int64_t first = 0; first < tiles; first += at_once) {
      const int64_t end = std::min(first + at_once, tiles);
      transform_tiles<F::input, kIn, kIn>(x, job.x, in, first, end, inputs);
      filter_tiles<F>(end - first, in, inputs, job.filters, out, outputs);
      transform_outputs<F>(y, outputs, out, first, end, job.stage, job.y);
    }
  }
}
