// Filters of Winograd's filtering. Included by variant.cpp inside the variant's own namespace.

/// Of a transformed tile.
template <class F>
constexpr int64_t kPositions = F::kIn* F::kIn;

/// Of a filter.
template <class F>
constexpr int64_t kFilterTaps = F::kTaps* F::kTaps;

/// Columns of one panel of transformed filters.
inline int64_t winograd_panel(int64_t columns) { return columns % (kWide * kLanes) == 0 ? kWide * kLanes : kNarrow * kLanes; }

/// Transformed filters lie in the order (position, panel, depth, panel's columns), with a cache line between positions for the
/// same reason.
inline int64_t filter_position(int64_t columns, int64_t depth) { return columns * depth + kLine; }

template <class F>
int64_t winograd_filter_values(int64_t columns, int64_t depth) {
  return kPositions<F> * filter_position(columns, depth);
}

/// Filters (out, in, taps, taps) of kLanes outputs and inputs: transformed[position][in] holds a vector of outputs.
template <class F>
void transform_filters(const float* weights, int64_t in_channels, bool turned, Vector (&transformed)[kPositions<F>][kLanes]) {
  constexpr int kIn = F::kIn;
  constexpr int64_t kValues = kFilterTaps<F>;
  Vector taps[kValues][kLanes];  // as loaded: vectors of (in, tap); transposed: vectors of outputs
  for (int part = 0; part < kValues; ++part) {
    for (int k = 0; k < kLanes; ++k) taps[part][k] = load_vector(weights + k * in_channels * kValues + part * kLanes);
    transpose(taps[part]);
  }
  const Vector* in_order = taps[0];  // (in, tap)
  for (int c = 0; c < kLanes; ++c) {
    transform_tile<F::filter, F::kTaps, kIn>(
        [&](int i, int j) { return in_order[c * kValues + (turned ? kValues - 1 - (i * F::kTaps + j) : i * F::kTaps + j)]; },
        [&](int i, int j, Vector value) { transformed[i * kIn + j][c] = value; });
  }
}

template <class F>
void winograd_filters(const WinogradFilters& job) {
  const int64_t columns = job.columns, depth = job.depth, panel = winograd_panel(columns);
  const int64_t in_channels = job.data_gradient ? columns : depth;
#pragma omp parallel for collapse(2) schedule(static)
  for (int64_t n = 0; n < columns; n += kLanes) {
    for (int64_t d = 0; d < depth; d += kLanes) {
      const int64_t out = job.data_gradient ? d : n, in = job.data_gradient ? n : d;
      Vector transformed[kPositions<F>][kLanes];
      transform_filters<F>(job.weights + (out * in_channels + in) * kFilterTaps<F>, in_channels, job.data_gradient, transformed);
      float* to = job.transformed + n / panel * panel * depth + d * panel + n % panel;
      for (int64_t position = 0; position < kPositions<F>; ++position, to += filter_position(columns, depth)) {
        if (job.data_gradient) transpose(transformed[position]);
        for (int64_t k = 0; k < kLanes; ++k) store_vector(to + k * panel, transformed[position][k]);
      }
    }
  }
}
