// Filters in the order of kernels/tap_product.inl: (panel, tap, channel of the input, column of the panel), columns past the last
// zeros. Included by variant.cpp inside the variant's own namespace.

/// Filters of at most so many taps are packed by squares.
constexpr int64_t kSquareTaps = 25;

template <class T>
bool has_tap_squares(const TapFilters<T>& job) {
  return job.columns % kLanes == 0 && job.depth % kLanes == 0 && job.taps_in_all <= kSquareTaps;
}

/// The weight of depth d and column n under one of the filter's taps.
template <class T>
[[gnu::always_inline]] inline const float* tap_filter(const TapFilters<T>& job, int64_t n, int64_t d, int64_t filter_tap) {
  const int64_t out = job.data_gradient ? d : n, in = job.data_gradient ? n : d;
  return job.weights + (out * (job.data_gradient ? job.columns : job.depth) + in) * job.taps_in_all + filter_tap;
}

/// Calls f(tap, square) for each tap: vectors of kLanes columns from n on, one for each of kLanes channels of depth from d on.
template <class T, class F>
[[gnu::always_inline]] inline void for_each_tap_square(const TapFilters<T>& job, int64_t n, int64_t d, const F& f) {
  const int64_t window = job.taps_in_all, in_channels = job.data_gradient ? job.columns : job.depth;
  const float* from = tap_filter(job, n, d, 0);
  // Rows of the weights hold (in, tap); transposed, vectors of outputs lie in that order.
  Vector in_order[kSquareTaps * kLanes];
  for (int64_t part = 0; part < window; ++part) {
    Vector square[kLanes];
    for (int64_t k = 0; k < kLanes; ++k) square[k] = load_vector(from + k * in_channels * window + part * kLanes);
    transpose(square);
    std::copy_n(square, kLanes, in_order + part * kLanes);
  }
  for (size_t t = 0; t < job.filter_taps.size(); ++t) {
    Vector square[kLanes];
    for (int64_t k = 0; k < kLanes; ++k) square[k] = in_order[k * window + job.filter_taps[t]];
    if (job.data_gradient) transpose(square);
    f(t, square);
  }
}

inline int64_t tap_filter_values(const TapGrid& grid, std::span<const Tap> taps) {
  return round_up(grid.out.channels, kLanes) * grid.in.channels * static_cast<int64_t>(taps.size());
}

/// Where a panel's filter of a tap begins.
inline float* packed_tap(const TapFilters<float>& job, int64_t first_column, int64_t width, size_t tap) {
  return job.packed + (first_column * static_cast<int64_t>(job.taps.size()) + static_cast<int64_t>(tap) * width) * job.depth;
}

/// Depth d of a panel, value by value.
inline void pack_tap_row(const TapFilters<float>& job, int64_t first_column, int64_t width, int64_t d) {
  const int64_t filled = std::min(width, job.columns - first_column);
  for (size_t t = 0; t < job.taps.size(); ++t) {
    float* to = packed_tap(job, first_column, width, t) + d * width;
    for (int64_t n = 0; n < filled; ++n) to[n] = *tap_filter(job, first_column + n, d, job.filter_taps[t]);
    std::fill(to + filled, to + width, 0.0f);
  }
}

inline void tap_filters(const TapFilters<float>& job) {
  const Panels panels(job.columns);
  const bool squares = has_tap_squares(job);
#pragma omp parallel for collapse(2) schedule(static)
  for (int64_t p = 0; p < panels.count; ++p) {
    for (int64_t block = 0; block < job.depth; block += kLanes) {
      const int64_t first = panels.begin(p), width = panels.width(p);
      for (int64_t n = 0; squares && n < width; n += kLanes) {
        for_each_tap_square(job, first + n, block, [&](size_t tap, const Vector(&square)[kLanes]) {
          float* to = packed_tap(job, first, width, tap) + block * width + n;
          for (int64_t k = 0; k < kLanes; ++k) store_vector(to + k * width, square[k]);
        });
      }
      for (int64_t d = block; !squares && d < std::min(block + kLanes, job.depth); ++d) pack_tap_row(job, first, width, d);
    }
  }
}
