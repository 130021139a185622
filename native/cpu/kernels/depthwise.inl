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

/// The rows of pixels under a row of the result, as far as they lie inside.
struct DepthwiseRows {
  int count = 0;
  int64_t first[3];  // offset of their first pixel in `from`
  int64_t tap[3];    // their first tap
};

/// The taps of a pixel of the result that lie inside.
struct DepthwiseTaps {
  int count = 0;
  int64_t offsets[kDepthwiseTaps];  // of their pixels in `from`
  int64_t taps[kDepthwiseTaps];
};

/// A convolution or its data gradient as a walk over the pixels of its result.
struct DepthwiseWalk {
  DepthwiseWalk(const DepthwiseShape& s, bool gradient)
      : shape(s), data_gradient(gradient), from(gradient ? s.out : s.in), to(gradient ? s.in : s.out) {
    if (gradient) return;
    inside_begin = std::clamp<int64_t>((s.padding_width + s.stride_width - 1) / s.stride_width, 0, to.width);
    const int64_t last = from.width - 3 + s.padding_width;
    inside_end = std::clamp(last < 0 ? 0 : last / s.stride_width + 1, inside_begin, to.width);
  }

  DepthwiseRows rows(int64_t image, int64_t y) const {
    DepthwiseRows found;
    for (int64_t k = 0; k < 3; ++k) {
      const int64_t row = depthwise_source(data_gradient, y, k, shape.stride_height, shape.padding_height, from.height);
      if (row < 0) continue;
      found.first[found.count] = (image * from.height + row) * from.width * from.channels;
      found.tap[found.count++] = k * 3;
    }
    return found;
  }

  DepthwiseTaps taps(const DepthwiseRows& rows, int64_t x) const {
    DepthwiseTaps found;
    for (int i = 0; i < rows.count; ++i) {
      for (int64_t k = 0; k < 3; ++k) {
        const int64_t column = depthwise_source(data_gradient, x, k, shape.stride_width, shape.padding_width, from.width);
        if (column < 0) continue;
        found.offsets[found.count] = rows.first[i] + column * from.channels;
        found.taps[found.count++] = rows.tap[i] + k;
      }
    }
    return found;
  }

  /// Where the window of column x begins in each of its rows, x among those inside.
  int64_t window(int64_t x) const { return (x * shape.stride_width - shape.padding_width) * from.channels; }

  DepthwiseShape shape;
  bool data_gradient;
  Layout from, to;
  /// Columns of the result all of whose taps lie inside a row, side by side; none of a data gradient.
  int64_t inside_begin = 0, inside_end = 0;
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

/// Some neighbours in a row of the result, whose windows lie inside their rows and kStride pixels apart: a column that several
/// windows share is read once.
template <int kPixels, int kStride, class T>
void convolve_pixels(const DepthwiseConvolution<T>& job, const DepthwiseRows& rows, int64_t window, T* to) {
  constexpr int kColumns = (kPixels - 1) * kStride + 3;
  const Layout& in = job.shape.in;
  const int64_t channels = in.channels, pitch = in.width * channels;
  const T* last = job.from + rows.first[rows.count - 1] + window + 2 * channels;
  for (int64_t c = 0; c < channels; c += kLanes) {
    // What the same columns of the next row read for the first time.
    for (int64_t i = 1; i <= job.shape.stride_height; ++i) {
#pragma GCC unroll 8
      for (int64_t k = 0; k < kPixels * kStride; ++k) __builtin_prefetch(last + i * pitch + k * channels + c);
    }
    Vector sums[kPixels] = {};
    for (int i = 0; i < rows.count; ++i) {
      const float* filter = job.filters + rows.tap[i] * channels + c;
      const T* from = job.from + rows.first[i] + window + c;
      const Vector factors[3] = {load_vector(filter), load_vector(filter + channels), load_vector(filter + 2 * channels)};
#pragma GCC unroll 16
      for (int column = 0; column < kColumns; ++column) {
        const Vector values = VectorPack::load(from + column * channels);
#pragma GCC unroll 8
        for (int pixel = 0; pixel < kPixels; ++pixel) {
          const int tap = column - pixel * kStride;
          if (tap >= 0 && tap < 3) sums[pixel] += values * factors[tap];
        }
      }
    }
#pragma GCC unroll 8
    for (int pixel = 0; pixel < kPixels; ++pixel) {
      T* at = to + pixel * channels + c;
      VectorPack::store(at, finish(job.stage, sums[pixel], c, at));
    }
  }
}

/// The columns of a row of the result whose windows lie inside.
template <int kStride, class T>
void convolve_inside(const DepthwiseConvolution<T>& job, const DepthwiseWalk& walk, const DepthwiseRows& rows, T* row) {
  constexpr int kPixels = 4;
  const int64_t channels = walk.to.channels;
  int64_t x = walk.inside_begin;
  for (; x + kPixels <= walk.inside_end; x += kPixels)
    convolve_pixels<kPixels, kStride>(job, rows, walk.window(x), row + x * channels);
  for (; x < walk.inside_end; ++x) convolve_pixels<1, kStride>(job, rows, walk.window(x), row + x * channels);
}

/// One pixel of the result, wherever its taps lie.
template <class T>
void convolve_taps(const DepthwiseConvolution<T>& job, int64_t channels, const DepthwiseTaps& inside, T* to) {
  with_taps(inside.count, [&](auto count) {
    for (int64_t c = 0; c < channels; c += kLanes) {
      Vector sum{};
      for (int k = 0; k < count; ++k)
        sum += VectorPack::load(job.from + inside.offsets[k] + c) * load_vector(job.filters + inside.taps[k] * channels + c);
      VectorPack::store(to + c, finish(job.stage, sum, c, to + c));
    }
  });
}

template <class T>
void depthwise_convolution(DepthwiseConvolution<T> job) {
  const int64_t channels = job.shape.in.channels;
  if (job.data_gradient && job.shape.turns_filters()) {
    job.data_gradient = false;
    job.shape = {job.shape.out, job.shape.in, 1, 1, 2 - job.shape.padding_height, 2 - job.shape.padding_width};
  }
  const DepthwiseWalk walk(job.shape, job.data_gradient);
  const int64_t stride = job.shape.stride_width;
#pragma omp parallel for collapse(2) schedule(static)
  for (int64_t image = 0; image < walk.to.images; ++image) {
    for (int64_t y = 0; y < walk.to.height; ++y) {
      T* row = job.to + (image * walk.to.height + y) * walk.to.width * channels;
      const DepthwiseRows rows = walk.rows(image, y);
      const auto edge = [&](int64_t x) { convolve_taps(job, channels, walk.taps(rows, x), row + x * channels); };
      // Of windows further apart none shares a column with another.
      const bool together = rows.count > 0 && stride <= 2;
      for (int64_t x = 0; x < walk.inside_begin; ++x) edge(x);
      if (together && stride == 1) convolve_inside<1>(job, walk, rows, row);
      if (together && stride == 2) convolve_inside<2>(job, walk, rows, row);
      for (int64_t x = together ? walk.inside_end : walk.inside_begin; x < walk.to.width; ++x) edge(x);
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
  return 2 * depthwise_items(shape.out) * kDepthwiseTaps * shape.in.channels;
}

/// Nine pixels of which rows and columns are neighbours: three of each row, rows `pitch` apart.
template <class T>
struct DepthwiseWindow {
  const T* first;
  int64_t pitch, channels;

  [[gnu::always_inline]] Vector at(int64_t c, int i, int j) const { return VectorPack::load(first + i * pitch + j * channels + c); }
};

/// sums (tap, channel) += dy * the window's pixels, over neighbours in a row of dy whose windows lie `step` apart; kVectors vectors
/// of channels from c on.
template <int kVectors, class T>
void add_row_products(const DepthwiseWindow<T>& window, const DepthwiseShape& shape, int64_t pixels, const T* dy, float* sums,
                      int64_t c) {
  const int64_t channels = window.channels, step = shape.stride_width * channels;
  const T* next = window.first + (2 + shape.stride_height) * window.pitch + c;
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
    for (int v = 0; v < kVectors; ++v) gradient[v] = VectorPack::load(dy + x * channels + c + v * kLanes);
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

template <class T>
void depthwise_weight_gradient(const DepthwiseWeightGradient<T>& job) {
  const DepthwiseWalk walk(job.shape, false);
  const int64_t channels = walk.to.channels, size = kDepthwiseTaps * channels;
  const int64_t items = depthwise_items(walk.to), item_rows = depthwise_item_rows(walk.to), per_image = items / walk.to.images;
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
        const T* dy = job.dy + (image * walk.to.height + y) * walk.to.width * channels;
        const DepthwiseRows rows = walk.rows(image, y);
        const auto edge = [&](int64_t x) {
          const DepthwiseTaps inside = walk.taps(rows, x);
          for (int k = 0; k < inside.count; ++k) {
            float* to = row_sums + inside.taps[k] * channels;
            const T* from = job.x + inside.offsets[k];
            for (int64_t c = 0; c < channels; c += kLanes)
              store_vector(to + c, load_vector(to + c) + VectorPack::load(dy + x * channels + c) * VectorPack::load(from + c));
          }
        };
        const int64_t windows = rows.count == 3 ? walk.inside_end - walk.inside_begin : 0;
        for (int64_t x = 0; x < walk.inside_begin; ++x) edge(x);
        for (int64_t x = walk.inside_begin + windows; x < walk.to.width; ++x) edge(x);
        if (windows > 0) {
          const DepthwiseWindow<T> window{job.x + rows.first[0] + walk.window(walk.inside_begin), walk.from.width * channels, channels};
          dy += walk.inside_begin * channels;
          int64_t c = 0;
          for (; c + 2 * kLanes <= channels; c += 2 * kLanes) add_row_products<2>(window, job.shape, windows, dy, row_sums, c);
          if (c < channels) add_row_products<1>(window, job.shape, windows, dy, row_sums, c);
        }
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

template <class T>
constexpr DepthwiseKernels<T> kDepthwise = {
    .channels = kLanes,
    .filters = depthwise_filters,
    .convolution = depthwise_convolution<T>,
    .weight_gradient_scratch = depthwise_gradient_scratch,
    .weight_gradient = depthwise_weight_gradient<T>,
};
