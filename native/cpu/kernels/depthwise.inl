// Depthwise 3 x 3 convolutions: each pixel of the result is a sum over the pixels under the taps, all channels side by side. They
// are as quick as memory, so pixels are taken in its order and asked for a row ahead. Included by variant.cpp inside the variant's
// own namespace.

constexpr int64_t kDepthwiseTaps = 9;

/// Where along an axis tap k reads for position `at` of the result, or -1 outside.
inline int64_t depthwise_source(bool data_gradient, int64_t at, int64_t k, int64_t stride, int64_t padding, int64_t size) {
  const int64_t position = data_gradient ? at + padding - k : at * stride - padding + k;
  if (!data_gradient) return position < size ? std::max<int64_t>(position, -1) : -1;
  return position >= 0 && position % stride == 0 && position / stride < size ? position / stride : -1;
}

/// A convolution or its data gradient as a walk over the pixels of its result.
struct DepthwiseWalk {
  DepthwiseWalk(const DepthwiseShape& s, bool gradient)
      : shape(s), data_gradient(gradient), from(gradient ? s.out : s.in), to(gradient ? s.in : s.out) {}

  /// Columns under the three taps of each column of the result.
  void fill_columns(int32_t* columns) const {
    for (int64_t x = 0; x < to.width; ++x) {
      for (int64_t k = 0; k < 3; ++k)
        columns[x * 3 + k] =
            static_cast<int32_t>(depthwise_source(data_gradient, x, k, shape.stride_width, shape.padding_width, from.width));
    }
  }

  /// For the columns of a row of the result: window(column, offset of the first of its nine pixels in `from`) where all lie
  /// inside and side by side, else taps(column, count, offsets, taps).
  template <class Window, class Taps>
  void row(int64_t image, int64_t y, const int32_t* columns, const Window& window, const Taps& some_taps) const {
    int64_t rows[3];
    for (int64_t k = 0; k < 3; ++k)
      rows[k] = depthwise_source(data_gradient, y, k, shape.stride_height, shape.padding_height, from.height);
    const bool rows_inside = !data_gradient && rows[0] >= 0 && rows[2] >= 0;
    for (int64_t x = 0; x < to.width; ++x) {
      const int32_t* column = columns + x * 3;
      if (rows_inside && column[0] >= 0 && column[2] >= 0) {
        window(x, ((image * from.height + rows[0]) * from.width + column[0]) * from.channels);
        continue;
      }
      int64_t offsets[kDepthwiseTaps], taps[kDepthwiseTaps];
      int count = 0;
      for (int64_t i = 0; i < 3; ++i) {
        for (int64_t j = 0; j < 3; ++j) {
          if (rows[i] < 0 || column[j] < 0) continue;
          offsets[count] = ((image * from.height + rows[i]) * from.width + column[j]) * from.channels;
          taps[count++] = i * 3 + j;
        }
      }
      some_taps(x, count, offsets, taps);
    }
  }

  DepthwiseShape shape;
  bool data_gradient;
  Layout from, to;
};

/// Calls f(count) with the number of taps as a constant.
template <int kCount = kDepthwiseTaps, class F>
[[gnu::always_inline]] inline void with_taps(int count, const F& f) {
  if constexpr (kCount > 0) {
    if (count == kCount) return f(std::integral_constant<int, kCount>{});
    with_taps<kCount - 1>(count, f);
  } else {
    f(std::integral_constant<int, 0>{});
  }
}

inline void depthwise_filters(const float* weights, int64_t channels, bool turned, float* filters) {
  for (int64_t c = 0; c < channels; ++c) {
    for (int64_t t = 0; t < kDepthwiseTaps; ++t)
      filters[t * channels + c] = weights[c * kDepthwiseTaps + (turned ? kDepthwiseTaps - 1 - t : t)];
  }
}

inline int64_t depthwise_scratch(const DepthwiseShape& shape) { return 3 * std::max(shape.in.width, shape.out.width); }

/// Nine pixels of which rows and columns are neighbours: three of each row, rows `pitch` apart.
struct DepthwiseWindow {
  const float* first;
  int64_t pitch, channels;

  [[gnu::always_inline]] Vector at(int64_t c, int i, int j) const { return load_vector(first + i * pitch + j * channels + c); }
};

/// The pixels that a window one row of the result further reads for the first time.
[[gnu::always_inline]] inline void ask_for_next_row(const DepthwiseWindow& window, const DepthwiseShape& shape) {
  const float* last = window.first + (2 + shape.stride_height) * window.pitch + 2 * window.channels;
  for (int64_t i = 0; i < shape.stride_height; ++i) {
    for (int64_t j = 0; j < shape.stride_width; ++j) {
      const float* pixel = last - i * window.pitch - j * window.channels;
      for (int64_t c = 0; c < window.channels; c += kLine) __builtin_prefetch(pixel + c);
    }
  }
}

/// One pixel of the result, all of whose taps lie inside; filters (tap, channel).
inline void convolve_window(const DepthwiseWindow& window, const float* filters, const OutputStage& stage, float* to) {
  const int64_t channels = window.channels;
  const DepthwiseWindow factors{filters, 3 * channels, channels};
  for (int64_t c = 0; c < channels; c += kLanes) {
    Vector rows[3];
    for (int i = 0; i < 3; ++i) {
      rows[i] = window.at(c, i, 0) * factors.at(c, i, 0);
      rows[i] += window.at(c, i, 1) * factors.at(c, i, 1);
      rows[i] += window.at(c, i, 2) * factors.at(c, i, 2);
    }
    store_vector(to + c, finish(stage, rows[0] + rows[1] + rows[2], c, to + c));
  }
}

/// One pixel of the result, wherever its taps lie.
inline void convolve_taps(const DepthwiseConvolution& job, int64_t channels, int tap_count, const int64_t* offsets,
                          const int64_t* taps, float* to) {
  with_taps(tap_count, [&](auto count) {
    for (int64_t c = 0; c < channels; c += kLanes) {
      Vector sum{};
      for (int k = 0; k < count; ++k)
        sum += load_vector(job.from + offsets[k] + c) * load_vector(job.filters + taps[k] * channels + c);
      store_vector(to + c, finish(job.stage, sum, c, to + c));
    }
  });
}

inline void depthwise_convolution(DepthwiseConvolution job) {
  const int64_t channels = job.shape.in.channels;
  if (job.data_gradient && job.shape.turns_filters()) {
    job.data_gradient = false;
    job.shape = {job.shape.out, job.shape.in, 1, 1, 2 - job.shape.padding_height, 2 - job.shape.padding_width};
  }
  const DepthwiseWalk walk(job.shape, job.data_gradient);
  auto* columns = reinterpret_cast<int32_t*>(job.scratch);
  walk.fill_columns(columns);
  const int64_t pitch = walk.from.width * channels;
#pragma omp parallel for collapse(2) schedule(static)
  for (int64_t image = 0; image < walk.to.images; ++image) {
    for (int64_t y = 0; y < walk.to.height; ++y) {
      float* row = job.to + (image * walk.to.height + y) * walk.to.width * channels;
      walk.row(
          image, y, columns,
          [&](int64_t x, int64_t offset) {
            const DepthwiseWindow window{job.from + offset, pitch, channels};
            ask_for_next_row(window, job.shape);
            convolve_window(window, job.filters, job.stage, row + x * channels);
          },
          [&](int64_t x, int count, const int64_t* offsets, const int64_t* taps) {
            convolve_taps(job, channels, count, offsets, taps, row + x * channels);
          });
    }
  }
}

/// Rows of dy whose products are summed by themselves; fixed by the layout alone.
inline int64_t depthwise_item_rows(const Layout& out) {
  const int64_t items = (32 + out.images - 1) / out.images;
  return (out.height + items - 1) / items;
}

inline int64_t depthwise_items(const Layout& out) {
  return out.images * ((out.height + depthwise_item_rows(out) - 1) / depthwise_item_rows(out));
}

inline int64_t depthwise_gradient_scratch(const DepthwiseShape& shape) {
  return 2 * depthwise_items(shape.out) * kDepthwiseTaps * shape.in.channels + 3 * shape.out.width;
}

/// sums (tap, channel) += dy * the window's pixels, over neighbours in a row of dy whose windows lie `step` apart; kVectors vectors
/// of channels from c on.
template <int kVectors>
void add_row_products(const DepthwiseWindow& window, const DepthwiseShape& shape, int64_t pixels, const float* dy, float* sums,
                      int64_t c) {
  const int64_t channels = window.channels, step = shape.stride_width * channels;
  const float* next = window.first + (2 + shape.stride_height) * window.pitch + c;
  Vector products[kDepthwiseTaps][kVectors];
  for (int t = 0; t < kDepthwiseTaps; ++t) {
    for (int v = 0; v < kVectors; ++v) products[t][v] = load_vector(sums + t * channels + c + v * kLanes);
  }
  for (int64_t x = 0; x < pixels; ++x, next += step) {
    for (int64_t i = 0; i < shape.stride_height; ++i) {
      for (int64_t k = 0; k < shape.stride_width; ++k) {
        for (int v = 0; v < kVectors; ++v) __builtin_prefetch(next - i * window.pitch + k * channels + v * kLanes);
      }
    }
    Vector gradient[kVectors];
    for (int v = 0; v < kVectors; ++v) gradient[v] = load_vector(dy + x * channels + c + v * kLanes);
#pragma GCC unroll 3
    for (int i = 0; i < 3; ++i) {
#pragma GCC unroll 3
      for (int j = 0; j < 3; ++j) {
        for (int v = 0; v < kVectors; ++v) products[i * 3 + j][v] += gradient[v] * window.at(x * step + c + v * kLanes, i, j);
      }
    }
  }
  for (int t = 0; t < kDepthwiseTaps; ++t) {
    for (int v = 0; v < kVectors; ++v) store_vector(sums + t * channels + c + v * kLanes, products[t][v]);
  }
}

inline void depthwise_weight_gradient(const DepthwiseWeightGradient& job) {
  const DepthwiseWalk walk(job.shape, false);
  const int64_t channels = walk.to.channels, size = kDepthwiseTaps * channels;
  const int64_t items = depthwise_items(walk.to), item_rows = depthwise_item_rows(walk.to), per_image = items / walk.to.images;
  auto* columns = reinterpret_cast<int32_t*>(job.scratch + 2 * items * size);
  walk.fill_columns(columns);
#pragma omp parallel
  {
#pragma omp for schedule(static)
    for (int64_t item = 0; item < items; ++item) {
      const int64_t image = item / per_image, first = item % per_image * item_rows;
      float* sums = job.scratch + 2 * item * size;  // (tap, channel), then those of the present row
      float* row_sums = sums + size;
      std::fill_n(sums, size, 0.0f);
      for (int64_t y = first; y < std::min(first + item_rows, walk.to.height); ++y) {
        std::fill_n(row_sums, size, 0.0f);
        const float* dy = job.dy + (image * walk.to.height + y) * walk.to.width * channels;
        int64_t windows = 0, first_x = 0;  // those inside are neighbours
        DepthwiseWindow window{job.x, walk.from.width * channels, channels};
        walk.row(
            image, y, columns,
            [&](int64_t x, int64_t offset) {
              if (windows++ == 0) window.first += offset, first_x = x;
            },
            [&](int64_t x, int count, const int64_t* offsets, const int64_t* taps) {
              for (int k = 0; k < count; ++k) {
                float* to = row_sums + taps[k] * channels;
                for (int64_t c = 0; c < channels; c += kLanes)
                  store_vector(to + c, load_vector(to + c) + load_vector(dy + x * channels + c) * load_vector(job.x + offsets[k] + c));
              }
            });
        dy += first_x * channels;
        int64_t c = 0;
        for (; c + 2 * kLanes <= channels; c += 2 * kLanes) add_row_products<2>(window, job.shape, windows, dy, row_sums, c);
        if (c < channels) add_row_products<1>(window, job.shape, windows, dy, row_sums, c);
        for (int64_t i = 0; i < size; ++i) sums[i] += row_sums[i];
      }
    }
#pragma omp for schedule(static)
    for (int64_t c = 0; c < channels; ++c) {
      for (int64_t t = 0; t < kDepthwiseTaps; ++t) {
        double sum = 0;
        for (int64_t item = 0; item < items; ++item) sum += static_cast<double>(job.scratch[2 * item * size + t * channels + c]);
        float& target = job.gradient[c * kDepthwiseTaps + t];
        target = static_cast<float>(sum) + (job.accumulate ? target : 0.0f);
      }
    }
  }
}

constexpr DepthwiseKernels kDepthwise = {
    .channels = kLanes,
    .filters = depthwise_filters,
    .convolution_scratch = depthwise_scratch,
    .convolution = depthwise_convolution,
    .weight_gradient_scratch = depthwise_gradient_scratch,
    .weight_gradient = depthwise_weight_gradient,
};
