// Filters in the order of kernels/tap_product.inl: (panel, tap, channel of the input, column of the panel), columns past the last
// zeros. Included by variant.cpp inside the variant's own namespace.

inline int64_t tap_filter_values(int64_t columns, int64_t depth, int64_t taps) { return round_up(columns, kLanes) * depth * taps; }

/// Where a panel's filter of a tap begins.
inline float* packed_tap(const TapFilters& job, int64_t first_column, int64_t width, int64_t tap) {
  return job.packed + (first_column * static_cast<int64_t>(job.taps.size()) + tap * width) * job.depth;
}

/// Filters of at most so many taps are packed by squares.
constexpr int64_t kSquareTaps = 25;

/// All taps of kLanes columns from n on and kLanes channels of depth from d on.
inline void pack_tap_squares(const TapFilters& job, int64_t first_column, int64_t width, int64_t n, int64_t d) {
  const int64_t window = job.taps_in_all, in_channels = job.data_gradient ? job.columns : job.depth;
  const int64_t out = job.data_gradient ? d : n, in = job.data_gradient ? n : d;
  const float* from = job.weights + (out * in_channels + in) * window;
  // Rows of the weights hold (in, tap); transposed, vectors of outputs lie in that order.
  Vector in_order[kSquareTaps * kLanes];
  for (int64_t part = 0; part < window; ++part) {
    Vector square[kLanes];
    for (int64_t k = 0; k < kLanes; ++k) square[k] = load_vector(from + k * in_channels * window + part * kLanes);
    transpose(square);
    std::copy_n(square, kLanes, in_order + part * kLanes);
  }
  for (size_t t = 0; t < job.taps.size(); ++t) {
    Vector square[kLanes];
    for (int64_t k = 0; k < kLanes; ++k) square[k] = in_order[k * window + job.taps[t]];
    if (job.data_gradient) transpose(square);
    float* to = packed_tap(job, first_column, width, static_cast<int64_t>(t)) + d * width + n - first_column;
    for (int64_t k = 0; k < kLanes; ++k) store_vector(to + k * width, square[k]);
  }
}

/// Depth d of a panel, value by value.
inline void pack_tap_row(const TapFilters& job, int64_t first_column, int64_t width, int64_t d) {
  const int64_t window = job.taps_in_all, in_channels = job.data_gradient ? job.columns : job.depth;
  const int64_t column_stride = job.data_gradient ? window : in_channels * window;
  const int64_t depth_stride = job.data_gradient ? in_channels * window : window;
  const int64_t filled = std::min(width, job.columns - first_column);
  for (size_t t = 0; t < job.taps.size(); ++t) {
    const float* from = job.weights + job.taps[t] + first_column * column_stride + d * depth_stride;
    float* to = packed_tap(job, first_column, width, static_cast<int64_t>(t)) + d * width;
    for (int64_t n = 0; n < filled; ++n) to[n] = from[n * column_stride];
    std::fill(to + filled, to + width, 0.0f);
  }
}

inline void tap_filters(const TapFilters& job) {
  const Panels panels(job.columns);
  const bool squares = job.columns % kLanes == 0 && job.depth % kLanes == 0 && job.taps_in_all <= kSquareTaps;
#pragma omp parallel for collapse(2) schedule(static)
  for (int64_t p = 0; p < panels.count; ++p) {
    for (int64_t block = 0; block < job.depth; block += kLanes) {
      const int64_t first = panels.begin(p), width = panels.width(p);
      for (int64_t n = 0; squares && n < width; n += kLanes) pack_tap_squares(job, first, width, first + n, block);
      for (int64_t d = block; !squares && d < std::min(block + kLanes, job.depth); ++d) pack_tap_row(job, first, width, d);
    }
  }
}
