// Weight gradient of Winograd's filtering, and the table of its kernels. Included by variant.cpp inside the variant's own
// namespace.

/// Tiles of a batch that are transformed before their products are summed. Not by the number of threads: the order of the sums
/// depends on it.
template <int kOut>
int64_t winograd_gradient_tiles(const WinogradShape& shape) {
  constexpr int64_t kBytes = 1 << 20;
  const int64_t bytes_a_tile = kPositions<kOut> * (shape.in.channels + shape.out.channels) * static_cast<int64_t>(sizeof(float));
  return std::min(std::max<int64_t>(kBytes / bytes_a_tile, 128), shape.tiles());
}

template <int kOut>
int64_t winograd_gradient_scratch(const WinogradShape& shape) {
  const int64_t tiles = winograd_gradient_tiles<kOut>(shape);
  return TileOrder{tiles, shape.in.channels}.size(kPositions<kOut>) +
         TileOrder{tiles, shape.out.channels}.size(kPositions<kOut>) + kPositions<kOut> * shape.in.channels * shape.out.channels;
}

/// G^T u G of (position, in, out) into (out, in, 3, 3).
template <int kOut, class T>
void winograd_store_gradient(const WinogradWeightGradient<T>& job, const float* sums) {
  constexpr int kIn = Filtering<kOut>::kIn;
  const int64_t rows = job.shape.in.channels, columns = job.shape.out.channels;
#pragma omp for collapse(2) schedule(static)
  for (int64_t n = 0; n < columns; n += kLanes) {
    for (int64_t r = 0; r < rows; r += kLanes) {
      Vector taps[9][kLanes];  // (in, tap): vectors of outputs; transposed: vectors of (in, tap)
      Vector* in_order = taps[0];
      for (int c = 0; c < kLanes; ++c) {
        transform_tile<Filtering<kOut>::filter_gradient, kIn, 3>(
            [&](int i, int j) { return load_vector(sums + ((i * kIn + j) * rows + r + c) * columns + n); },
            [&](int i, int j, Vector value) { in_order[c * 9 + i * 3 + j] = value; });
      }
      for (int part = 0; part < 9; ++part) {
        transpose(taps[part]);
        float* to = job.gradient + (n * rows + r) * 9 + part * kLanes;
        for (int k = 0; k < kLanes; ++k, to += rows * 9)
          store_vector(to, job.accumulate ? load_vector(to) + taps[part][k] : taps[part][k]);
      }
    }
  }
}

template <class T, int kOut>
void winograd_weight_gradient(const WinogradWeightGradient<T>& job) {
  constexpr int kIn = Filtering<kOut>::kIn;
  constexpr int64_t positions = kPositions<kOut>;
  const WinogradShape& shape = job.shape;
  const int64_t rows = shape.in.channels, columns = shape.out.channels, tiles = shape.tiles();
  const int64_t at_once = winograd_gradient_tiles<kOut>(shape), panel = winograd_panel(columns);
  const TileOrder in{at_once, rows}, out{at_once, columns};
  const TileWalk x(shape.in, shape, -shape.padding_height, -shape.padding_width);
  const TileWalk dy(shape.out, shape, 0, 0);
  float* inputs = job.scratch;
  float* gradients = inputs + in.size(positions);
  float* sums = gradients + out.size(positions);  // (position, in, out)
  constexpr int64_t kTiles = 16;
  constexpr int64_t kRows = 8 * kTileRows;
#pragma omp parallel
  {
    for (int64_t first = 0; first < tiles; first += at_once) {
      const int64_t count = std::min(at_once, tiles - first);
#pragma omp for schedule(static)
      for (int64_t t = 0; t < count; t += kTiles) {
        const int64_t end = first + std::min(t + kTiles, count);
        transform_tiles<Filtering<kOut>::input, kIn, kIn>(x, job.x, in, first + t, end, inputs + t * in.row());
        transform_tiles<Filtering<kOut>::output_gradient, kOut, kIn>(dy, job.dy, out, first + t, end, gradients + t * out.row());
      }
#pragma omp for collapse(3) schedule(static)
      for (int64_t position = 0; position < positions; ++position) {
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
    winograd_store_gradient<kOut>(job, sums);
  }
}

/// For activations of type T, with tiles of kOut x kOut outputs.
template <class T, int kOut>
constexpr WinogradKernels<T> kWinograd = {
    .tile = kOut,
    .channels = kNarrow* kLanes,
    .filter_values = winograd_filter_values<kOut>,
    .filters = winograd_filters<kOut>,
    .convolution_scratch = winograd_scratch<kOut>,
    .convolution = winograd_convolution<T, kOut>,
    .weight_gradient_scratch = winograd_gradient_scratch<kOut>,
    .weight_gradient = winograd_weight_gradient<T, kOut>,
};
