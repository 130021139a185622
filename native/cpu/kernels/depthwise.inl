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

  /// Calls f(column, count, offsets, taps) for a row of the result: where in `from` the pixels begin, and under which taps.
  template <class F>
  void row(int64_t image, int64_t y, const int32_t* columns, const F& f) const {
    int64_t rows[3];
    for (int64_t k = 0; k < 3; ++k)
      rows[k] = depthwise_source(data_gradient, y, k, shape.stride_height, shape.padding_height, from.height);
    for (int64_t x = 0; x < to.width; ++x) {
      int64_t offsets[kDepthwiseTaps], taps[kDepthwiseTaps];
      int count = 0;
      for (int64_t i = 0; i < 3; ++i) {
        for (int64_t j = 0; j < 3; ++j) {
          const int64_t column = columns[x * 3 + j];
          offsets[count] = ((image * from.height + rows[i]) * from.width + column) * from.channels;
          taps[count] = i * 3 + j;
          count += rows[i] >= 0 && column >= 0;
        }
      }
      f(x, count, offsets, taps);
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

inline int64_t depthwise_scratch(const DepthwiseShape& shape) {
  return kDepthwiseTaps * shape.in.channels + 3 * std::max(shape.in.width, shape.out.width);
}

inline void depthwise_convolution(const DepthwiseConvolution& job) {
  const DepthwiseWalk walk(job.shape, job.data_gradient);
  const int64_t channels = walk.to.channels;
  float* filters = job.scratch;  // (tap, channel)
  for (int64_t c = 0; c < channels; ++c) {
    for (int64_t t = 0; t < kDepthwiseTaps; ++t) filters[t * channels + c] = job.weights[c * kDepthwiseTaps + t];
  }
  auto* columns = reinterpret_cast<int32_t*>(filters + kDepthwiseTaps * channels);
  walk.fill_columns(columns);
  // The rows that the next row of the result reads for the first time.
  const int64_t new_rows = job.data_gradient ? 1 : job.shape.stride_height, new_columns = job.data_gradient ? 1 : job.shape.stride_width;
  const int64_t pitch = walk.from.width * channels;
#pragma omp parallel for collapse(2) schedule(static)
  for (int64_t image = 0; image < walk.to.images; ++image) {
    for (int64_t y = 0; y < walk.to.height; ++y) {
      walk.row(image, y, columns, [&](int64_t x, int tap_count, const int64_t* offsets, const int64_t* taps) {
        float* to = job.to + ((image * walk.to.height + y) * walk.to.width + x) * channels;
        with_taps(tap_count, [&](auto count) {
          const float *values[count + 1], *factors[count + 1];
          for (int k = 0; k < count; ++k) values[k] = job.from + offsets[k], factors[k] = filters + taps[k] * channels;
          if constexpr (count > 0) {
            const float* next = values[count - 1] + pitch * new_rows;
            for (int64_t i = 0; i < new_rows; ++i) {
              for (int64_t j = 0; j < new_columns; ++j) {
                const float* pixel = next - i * pitch - j * channels;
                for (int64_t c = 0; c < channels; c += kLine) __builtin_prefetch(pixel + c);
              }
            }
          }
          for (int64_t c = 0; c < channels; c += kLanes) {
            Vector sum{};
            for (int k = 0; k < count; ++k) sum += load_vector(values[k] + c) * load_vector(factors[k] + c);
            store_vector(to + c, sum);
          }
        });
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

inline void depthwise_weight_gradient(const DepthwiseWeightGradient& job) {
  const DepthwiseWalk walk(job.shape, false);
  const int64_t channels = walk.to.channels, size = kDepthwiseTaps * channels;
  const int64_t items = depthwise_items(walk.to), item_rows = depthwise_item_rows(walk.to), per_image = items / walk.to.images;
  auto* columns = reinterpret_cast<int32_t*>(job.scratch + 2 * items * size);
  walk.fill_columns(columns);
  const int64_t pitch = walk.from.width * channels * job.shape.stride_height;
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
        walk.row(image, y, columns, [&](int64_t x, int tap_count, const int64_t* offsets, const int64_t* taps) {
          const float* dy = job.dy + ((image * walk.to.height + y) * walk.to.width + x) * channels;
          with_taps(tap_count, [&](auto count) {
            const float* values[count + 1];
            float* targets[count + 1];
            for (int k = 0; k < count; ++k) values[k] = job.x + offsets[k], targets[k] = row_sums + taps[k] * channels;
            for (int64_t c = 0; c < channels; c += kLanes) {
              const Vector gradient = load_vector(dy + c);
              __builtin_prefetch(dy + c + walk.to.width * channels);
              if constexpr (count > 0) __builtin_prefetch(values[count - 1] + c + pitch);
              for (int k = 0; k < count; ++k)
                store_vector(targets[k] + c, load_vector(targets[k] + c) + gradient * load_vector(values[k] + c));
            }
          });
        });
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
    .convolution_scratch = depthwise_scratch,
    .convolution = depthwise_convolution,
    .weight_gradient_scratch = depthwise_gradient_scratch,
    .weight_gradient = depthwise_weight_gradient,
};
