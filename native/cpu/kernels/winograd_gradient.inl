// Weight gradient of Winograd's filtering, and the table of its kernels. Included by variant.cpp inside the variant's own
// namespace.
//
// A thread computes some rows of positions, or some inputs' part of one: it transforms by itself what it multiplies, so that no
// thread waits for another or reads what another has just written.

/// Tiles of a batch that are transformed before their products are summed. Not by the number of threads: the order of the sums
/// depends on it.
template <class F>
int64_t winograd_gradient_tiles(const WinogradShape& shape) {
  constexpr int64_t kBytes = 1 << 20;
  const int64_t bytes_a_tile = kPositions<F> * (shape.in.channels + shape.out.channels) * static_cast<int64_t>(sizeof(float));
  return std::min(std::max<int64_t>(kBytes / bytes_a_tile, 128), shape.tiles());
}

/// How a gradient is shared out among threads: rows of positions, each in as many parts of the inputs as it takes to keep the
/// threads evenly busy.
template <class F>
struct WinogradGradientTasks {
  WinogradGradientTasks(const WinogradShape& shape, int64_t threads) : inputs(shape.in.channels) {
    const int64_t most = inputs / kLanes;
    while (parts < most && busy(threads) < 0.9) ++parts;
  }
  int64_t count() const { return rows * parts; }
  int64_t begin(int64_t part) const { return part * (inputs / kLanes) / parts * kLanes; }
  int64_t largest() const { return (inputs / kLanes + parts - 1) / parts * kLanes; }

  static constexpr int64_t rows = F::kIn;
  int64_t inputs;
  int64_t parts = 1;

 private:
  double busy(int64_t threads) const {
    const int64_t turns = (count() + threads - 1) / threads;
    return static_cast<double>(count()) / static_cast<double>(turns * threads);
  }
};

/// Of a thread: a row of transformed inputs and of transformed gradients.
template <class F>
int64_t winograd_gradient_row_scratch(const WinogradShape& shape, int64_t threads) {
  const int64_t tiles = winograd_gradient_tiles<F>(shape), largest = WinogradGradientTasks<F>(shape, threads).largest();
  return (TileOrder{tiles, largest}.size(F::kIn) + TileOrder{tiles, shape.out.channels}.size(F::kIn));
}

template <class F>
int64_t winograd_gradient_scratch(const WinogradShape& shape, int64_t threads) {
  return threads * winograd_gradient_row_scratch<F>(shape, threads) + kPositions<F> * shape.in.channels * shape.out.channels;
}

/// G^T u G of (position, in, out) into (out, in, taps, taps).
template <class F, class T>
void winograd_store_gradient(const WinogradWeightGradient<T>& job, const float* sums) {
  constexpr int kIn = F::kIn;
  constexpr int64_t kValues = kFilterTaps<F>;
  const int64_t rows = job.shape.in.channels, columns = job.shape.out.channels;
#pragma omp for collapse(2) schedule(static)
  for (int64_t n = 0; n < columns; n += kLanes) {
    for (int64_t r = 0; r < rows; r += kLanes) {
      Vector taps[kValues][kLanes];  // (in, tap): vectors of outputs; transposed: vectors of (in, tap)
      Vector* in_order = taps[0];
      for (int c = 0; c < kLanes; ++c) {
        transform_tile<F::filter_gradient, kIn, F::kTaps>(
            [&](int i, int j) { return load_vector(sums + ((i * kIn + j) * rows + r + c) * columns + n); },
            [&](int i, int j, Vector value) { in_order[c * kValues + i * F::kTaps + j] = value; });
      }
      for (int part = 0; part < kValues; ++part) {
        transpose(taps[part]);
        float* to = job.gradient + (n * rows + r) * kValues + part * kLanes;
        for (int k = 0; k < kLanes; ++k, to += rows * kValues)
          store_vector(to, job.accumulate ? load_vector(to) + taps[part][k] : taps[part][k]);
      }
    }
  }
}

/// The transforms' row `kRow`, of some inputs' channels and, where it changed, of all gradients.
template <class T, class F, int kRow>
void winograd_gradient_row(const WinogradWeightGradient<T>& job, int64_t first_channel, const TileOrder& in, const TileOrder& out,
                           int64_t first, int64_t end, float* inputs, float* gradients) {
  constexpr int kIn = F::kIn;
  const WinogradShape& shape = job.shape;
  const TileWalk x(shape.in, shape, -shape.padding_height, -shape.padding_width);
  transform_tiles_row<F::input, kIn, kIn, kRow>(x, job.x, first_channel, in, first, end, inputs);
  if (!gradients) return;
  const TileWalk dy(shape.out, shape, 0, 0);
  transform_tiles_row<F::output_gradient, F::kOut, kIn, kRow>(dy, job.dy, 0, out, first, end, gradients);
}

/// winograd_gradient_row by the row's number.
template <class T, class F>
constexpr auto kWinogradGradientRows = []<int... kRows>(std::integer_sequence<int, kRows...>) {
  return std::array{winograd_gradient_row<T, F, kRows>...};
}(std::make_integer_sequence<int, F::kIn>());

/// sums = inputs^T * gradients of a row of positions, or sums += that.
template <bool kAdd>
void winograd_gradient_product(const WinogradShape& shape, const TileOrder& in, const float* inputs, const TileOrder& out,
                               const float* gradients, int64_t tiles, int64_t positions, float* sums) {
  const int64_t columns = shape.out.channels, panel = winograd_panel(columns);
  for (int64_t j = 0; j < positions; ++j) {
    for (int64_t n = 0; n < columns; n += panel) {
      const Product p{.depth = tiles,
                      .a = inputs + j * in.position(),
                      .a_row = 1,
                      .a_depth = in.row(),
                      .b = gradients + j * out.position() + n,
                      .b_depth = out.row(),
                      .c = sums + j * shape.in.channels * columns + n,
                      .c_row = columns};
      panel == kWide* kLanes ? product<kWide, kAdd, true>(p, in.channels) : product<kNarrow, kAdd, true>(p, in.channels);
    }
  }
}

template <class T, class F>
void winograd_weight_gradient(const WinogradWeightGradient<T>& job) {
  constexpr int64_t kIn = F::kIn;
  const WinogradShape& shape = job.shape;
  const int64_t tiles = shape.tiles(), at_once = winograd_gradient_tiles<F>(shape);
  const WinogradGradientTasks<F> tasks(shape, job.threads);
  const int64_t scratch = winograd_gradient_row_scratch<F>(shape, job.threads);
  const TileOrder out{at_once, shape.out.channels};
  float* sums = job.scratch + job.threads * scratch;  // (position, in, out)
#pragma omp parallel num_threads(static_cast <int>(job.threads))
  {
    const int64_t thread = omp_get_thread_num(), threads = omp_get_num_threads();
    float* gradients = job.scratch + thread * scratch;
    float* inputs = gradients + out.size(kIn);
    for (int64_t first = 0; first < tiles; first += at_once) {
      const int64_t end = std::min(first + at_once, tiles);
      int64_t present = -1;
      for (int64_t task = tasks.count() * thread / threads; task < tasks.count() * (thread + 1) / threads; ++task) {
        const int64_t row = task / tasks.parts, part = task % tasks.parts, channel = tasks.begin(part);
        const TileOrder in{at_once, tasks.begin(part + 1) - channel};
        kWinogradGradientRows<T, F>[static_cast<size_t>(row)](job, channel, in, out, first, end, inputs,
                                                              row == present ? nullptr : gradients);
        present = row;
        float* to = sums + (row * kIn * shape.in.channels + channel) * shape.out.channels;
        first == 0 ? winograd_gradient_product<false>(shape, in, inputs, out, gradients, end - first, kIn, to)
                   : winograd_gradient_product<true>(shape, in, inputs, out, gradients, end - first, kIn, to);
      }
    }
#pragma omp barrier
    winograd_store_gradient<F>(job, sums);
  }
}

/// For activations of type T.
template <class T, class F>
constexpr WinogradKernels<T> kWinograd = {
    .taps = F::kTaps,
    .tile = F::kOut,
    .channels = kNarrow* kLanes,
    .filter_values = winograd_filter_values<F>,
    .filters = winograd_filters<F>,
    .convolution_scratch = winograd_scratch<F>,
    .convolution = winograd_convolution<T, F>,
    .weight_gradient_scratch = winograd_gradient_scratch<F>,
    .weight_gradient = winograd_weight_gradient<T, F>,
};
