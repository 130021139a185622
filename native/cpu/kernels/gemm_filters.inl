// Filters in the order of a correlation's product: (panel of columns, tap row, word of tap columns and depth, column). A panel
// holds one to four vectors of columns; columns past the last are zeros, and so is the second half of a last word that is not
// full. Included by variant.cpp inside the variant's own namespace.

/// Words of one tap row.
template <class T>
int64_t run_words(const Correlation& c) {
  return Words<T>::of(c.columns.taps * c.in.channels);
}

inline EvenParts column_panels(int64_t columns) { return {(columns + kLanes - 1) / kLanes, kGemmVectors}; }

template <class T>
int64_t gemm_filter_words(const Correlation& c) {
  return column_panels(c.out.channels).total * kLanes * c.rows.taps * run_words<T>(c);
}

/// Where the word of a tap row begins in a panel that starts at vector `first`, of `vectors` vectors.
template <class T>
int64_t panel_offset(const Correlation& c, int64_t first) {
  return first * kLanes * c.rows.taps * run_words<T>(c);
}

/// A vector of columns n .. n + kLanes, value by value: any number of channels.
template <class T>
void pack_filter_vector(const GemmFilters& job, int64_t n, int64_t vectors, uint32_t* to) {
  const Correlation& c = job.correlation;
  const int64_t depth = c.in.channels, columns = c.out.channels, window = job.kernel_height * job.kernel_width;
  const int64_t run = c.columns.taps * depth, words = run_words<T>(c);
  const int64_t column_stride = (job.data_gradient ? 1 : depth) * window,
                depth_stride = (job.data_gradient ? columns : 1) * window;
  for (int64_t i = 0; i < c.rows.taps; ++i) {
    const float* row = job.weights + (c.rows.first_tap + i * c.rows.tap_step) * job.kernel_width;
    for (int64_t w = 0; w < words; ++w, to += vectors * kLanes) {
      Vector halves[Words<T>::kValues] = {};
      for (int64_t h = 0; h < Words<T>::kValues; ++h) {
        const int64_t value = w * Words<T>::kValues + h;
        if (value == run) break;
        const float* from = row + c.columns.first_tap + value / depth * c.columns.tap_step + value % depth * depth_stride;
        for (int lane = 0; lane < kLanes && n + lane < columns; ++lane) halves[h][lane] = from[(n + lane) * column_stride];
      }
      store_vector(reinterpret_cast<float*>(to), Words<T>::pair(halves[0], halves[1]));
    }
  }
}

/// The same of kLanes columns and kLanes values of depth from d on, whose number is even and all of which exist.
template <class T>
void pack_filter_square(const GemmFilters& job, int64_t n, int64_t d, int64_t vectors, uint32_t* to) {
  constexpr int64_t kMostTaps = 9;
  const Correlation& c = job.correlation;
  const int64_t depth = c.in.channels, columns = c.out.channels, window = job.kernel_height * job.kernel_width;
  const int64_t row_stride = (job.data_gradient ? columns : depth) * window;
  const float* from = job.weights + (job.data_gradient ? d * row_stride + n * window : n * row_stride + d * window);
  // Rows of the weights hold (inputs, taps); transposed, vectors of outputs lie in that order.
  Vector values[kMostTaps * kLanes];
  for (int64_t part = 0; part < window; ++part) {
    Vector square[kLanes];
    for (int lane = 0; lane < kLanes; ++lane) square[lane] = load_vector(from + lane * row_stride + part * kLanes);
    transpose(square);
    for (int lane = 0; lane < kLanes; ++lane) values[part * kLanes + lane] = square[lane];
  }
  for (int64_t i = 0; i < c.rows.taps; ++i) {
    for (int64_t j = 0; j < c.columns.taps; ++j) {
      const int64_t tap =
          (c.rows.first_tap + i * c.rows.tap_step) * job.kernel_width + c.columns.first_tap + j * c.columns.tap_step;
      Vector square[kLanes];
      for (int lane = 0; lane < kLanes; ++lane) square[lane] = values[lane * window + tap];
      if (job.data_gradient) transpose(square);
      uint32_t* word = to + (i * run_words<T>(c) + Words<T>::of(j * depth + d)) * vectors * kLanes;
      for (int k = 0; k < kLanes; k += Words<T>::kValues, word += vectors * kLanes)
        store_vector(reinterpret_cast<float*>(word), Words<T>::pair(square[k], square[k + 1]));
    }
  }
}

template <class T>
void gemm_filters(const GemmFilters& job) {
  const Correlation& c = job.correlation;
  const EvenParts panels = column_panels(c.out.channels);
  const bool squares = c.out.channels % kLanes == 0 && c.in.channels % kLanes == 0 && job.kernel_height * job.kernel_width <= 9;
#pragma omp parallel for schedule(static)
  for (int64_t vector = 0; vector < panels.total; ++vector) {
    int64_t panel = vector * panels.count / panels.total;
    while (panels.begin(panel + 1) <= vector) ++panel;
    const int64_t first = panels.begin(panel), vectors = panels.size(panel);
    uint32_t* to = job.packed + panel_offset<T>(c, first) + (vector - first) * kLanes;
    if (!squares) {
      pack_filter_vector<T>(job, vector * kLanes, vectors, to);
      continue;
    }
    for (int64_t d = 0; d < c.in.channels; d += kLanes) pack_filter_square<T>(job, vector * kLanes, d, vectors, to);
  }
}
