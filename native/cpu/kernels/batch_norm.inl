// Batch norm with activation and residual, forward and backward. Included by variant.cpp inside the variant's own namespace.
//
// Mean and variance of a piece that lies in the first-level cache are taken in two passes, pieces are joined by the formula of
// Chan, Golub and LeVeque (1979) in double precision: no cancellation whatever the mean, and one pass over memory.

/// Rows that are summed in float32 before they go to sums in float64; where they are wide, so few that they stay in the caches
/// near the processor, as their mean and then their variance are taken.
constexpr int64_t kCachedRows = 64;
inline int64_t cached_rows(int64_t block) {
  if (block == kNarrowRow) return kCachedRows * kRowsAtOnce;
  return std::clamp<int64_t>(32768 / block, 16, kCachedRows);
}

/// The value as an activation of type T holds it: what a clipped output compares equal to.
template <class T>
[[gnu::always_inline]] inline float as_stored(float value) {
  T stored;
  store(stored, value);
  return load(stored);
}

template <class T>
void statistics(const T* x, const Layout& layout, double* partial, double* mean, double* variance) {
  const int64_t block = layout.block(), channels = layout.padded_channels(), cached = cached_rows(block);
  for_each_item(layout, [&](int64_t item, int64_t first, int64_t rows, int64_t channel) {
    double* means = partial + item * 2 * channels + channel;
    double* squares = means + channels;
    std::fill_n(means, block, 0.0);
    std::fill_n(squares, block, 0.0);
    for (int64_t done = 0; done < rows; done += cached) {
      const int64_t count = std::min(cached, rows - done);
      for_each_tile(block, [&](int64_t tile, auto width) {
        const T* values = x + first + done * block + tile;
        WideValues<float, decltype(width)> centre(width), deviation(width);
        for_each_wide_row(width, block, count, [&](int64_t row, auto wide) {
          ask_ahead(values + row, wide);
#pragma omp simd
          for (int64_t c = 0; c < wide; ++c) centre[c] += load(values[row + c]);
        });
        centre.join_rows();
        for (int64_t c = 0; c < centre.size(); ++c) centre[c] /= static_cast<float>(count);
        WideValues<float, decltype(width)> residue(width);  // what rounding left in the centre
        for_each_wide_row(width, block, count, [&](int64_t row, auto wide) {
#pragma omp simd
          for (int64_t c = 0; c < wide; ++c) {
            const float d = load(values[row + c]) - centre[c];
            residue[c] += d;
            deviation[c] += d * d;
          }
        });
        residue.join_rows();
        deviation.join_rows();
        const double n_a = static_cast<double>(done), n_b = static_cast<double>(count), n = n_a + n_b;
        for (int64_t c = 0; c < width; ++c) {
          const double correction = static_cast<double>(residue[c]) / n_b;
          const double mean_b = static_cast<double>(centre[c]) + correction;
          const double square_b = static_cast<double>(deviation[c]) - n_b * correction * correction;
          const double delta = mean_b - means[tile + c];
          means[tile + c] += delta * n_b / n;
          squares[tile + c] += square_b + delta * delta * n_a * n_b / n;
        }
      });
    }
  });

  const int64_t items = reduction_items(layout);
  const double total = static_cast<double>(layout.images * layout.spatial());
  for_each_channel_group(channels, [&](int64_t begin, int64_t width) {
    double means[kChannelGroup] = {}, squares[kChannelGroup] = {};
    double n_a = 0;
    for (int64_t item = 0; item < items; ++item) {
      const double n_b = static_cast<double>(item_rows(layout, item)), n = n_a + n_b;
      const double* item_means = partial + item * 2 * channels + begin;
      for (int64_t c = 0; c < width; ++c) {
        const double delta = item_means[c] - means[c];
        means[c] += delta * n_b / n;
        squares[c] += item_means[channels + c] + delta * delta * n_a * n_b / n;
      }
      n_a = n;
    }
    for (int64_t c = 0; c < width; ++c) mean[begin + c] = means[c], variance[begin + c] = squares[c] / total;
  });
}

template <class T, bool kResidual>
void normalization_forward_as(const NormalizationForward<T>& job) {
  const Bounds bound = bounds(job.activation);
  with_constant(job.layout.block(), [&](auto block) {
    for_each_piece(job.layout, [&](int64_t first, int64_t rows, int64_t channel) {
      const RowValues scale(job.scale + channel, block), shift(job.shift + channel, block);
#if defined(__AMX_BF16__)
      if constexpr (std::is_same_v<T, Bfloat16>) {
        if (are_lines(job.y + first, block)) {
          for_each_wide_row(block, block, rows, [&](int64_t offset, auto wide) {
            const auto value = [&](int64_t c) {
              const int64_t at = first + offset + c;
              Vector v = VectorPack::load(job.x + at) * load_vector(scale.at(c)) + load_vector(shift.at(c));
              if constexpr (kResidual) v += VectorPack::load(job.residual + at);
              return clip(v, bound);
            };
            for (int64_t c = 0; c < wide; c += kLineValues)
              write_line_past_caches(job.y + first + offset + c, value(c), value(c + kLanes));
          });
          return finish_lines_past_caches();
        }
      }
#endif
      for_each_wide_row(block, block, rows, [&](int64_t offset, auto wide) {
        const int64_t row = first + offset;
#pragma omp simd
        for (int64_t c = 0; c < wide; ++c) {
          float v = load(job.x[row + c]) * scale[c] + shift[c];
          if constexpr (kResidual) v += load(job.residual[row + c]);
          v = v < bound.lower ? bound.lower : v;  // NaN stays NaN: a diverged step must be seen
          v = v > bound.upper ? bound.upper : v;
          store(job.y[row + c], v);
        }
      });
    });
  });
}

template <class T>
void normalization_forward(const NormalizationForward<T>& job) {
  job.residual ? normalization_forward_as<T, true>(job) : normalization_forward_as<T, false>(job);
}

template <class T, bool kTwo, bool kResidual>
void normalization_reduce_as(const NormalizationReduce<T>& job) {
  const Layout& layout = job.layout;
  Bounds bound = bounds(job.activation);
  if constexpr (kResidual) bound.upper = as_stored<T>(bound.upper);
  const int64_t block = layout.block(), channels = layout.padded_channels(), cached = cached_rows(block);
  for_each_item(layout, [&](int64_t item, int64_t first, int64_t rows, int64_t channel) {
    double* sums = job.partial + item * 2 * channels + channel;
    double* products = sums + channels;
    std::fill_n(sums, block, 0.0);
    std::fill_n(products, block, 0.0);
    for (int64_t done = 0; done < rows; done += cached) {
      const int64_t count = std::min(cached, rows - done);
      for_each_tile(block, [&](int64_t tile, auto width) {
        const float* mean = job.mean + channel + tile;
        const float* scale = job.scale + channel + tile;
        const float* shift = job.shift + channel + tile;
        TileValues<float, decltype(width)> sum(width), product(width);
        for (int64_t r = 0; r < count; ++r) {
          const int64_t row = first + (done + r) * block + tile;
          ask_ahead(job.dy + row, width);
          if constexpr (kTwo) ask_ahead(job.dy2 + row, width);
          ask_ahead(job.x + row, width);
          if constexpr (kResidual) ask_ahead(job.y + row, width);
          for_each_pack(width, [&](int64_t c, auto pack) {
            auto dy = pack.load(job.dy + row + c);
            if constexpr (kTwo) dy += pack.load(job.dy2 + row + c);
            const auto x = pack.load(job.x + row + c);
            const auto v = kResidual ? pack.load(job.y + row + c) : x * pack.load(scale + c) + pack.load(shift + c);
            const auto dz = (v > bound.lower) & (v < bound.upper) ? dy : decltype(dy){};
            if constexpr (kResidual) pack.store(job.dz + row + c, dz);
            sum.add(pack, c, dz);
            product.add(pack, c, dz * (x - pack.load(mean + c)));
          });
        }
        for (int64_t c = 0; c < width; ++c) {
          sums[tile + c] += static_cast<double>(sum[c]);
          products[tile + c] += static_cast<double>(product[c]);
        }
      });
    }
  });

  const int64_t items = reduction_items(layout);
  for_each_channel_group(channels, [&](int64_t begin, int64_t width) {
    double sums[kChannelGroup] = {}, products[kChannelGroup] = {};
    for (int64_t item = 0; item < items; ++item) {
      const double* item_sums = job.partial + item * 2 * channels + begin;
      for (int64_t c = 0; c < width; ++c) sums[c] += item_sums[c], products[c] += item_sums[channels + c];
    }
    std::copy_n(sums, width, job.sum_dz + begin);
    std::copy_n(products, width, job.sum_dz_centered + begin);
  });
}

template <class T>
void normalization_reduce(const NormalizationReduce<T>& job) {
  if (job.dy2) {
    job.dz ? normalization_reduce_as<T, true, true>(job) : normalization_reduce_as<T, true, false>(job);
  } else {
    job.dz ? normalization_reduce_as<T, false, true>(job) : normalization_reduce_as<T, false, false>(job);
  }
}

template <class T, bool kTwo>
void normalization_backward_as(const NormalizationBackward<T>& job) {
  const Bounds bound = bounds(job.activation);
  with_constant(job.layout.block(), [&](auto block) {
    for_each_piece(job.layout, [&](int64_t first, int64_t rows, int64_t channel) {
      const RowValues mean(job.mean + channel, block), scale(job.scale + channel, block), shift(job.shift + channel, block);
      const RowValues a(job.a + channel, block), b(job.b + channel, block), constant(job.c + channel, block);
      for_each_wide_row(block, block, rows, [&](int64_t offset, auto wide) {
        const int64_t row = first + offset;
        ask_ahead(job.dy + row, wide);
        if constexpr (kTwo) ask_ahead(job.dy2 + row, wide);
        ask_ahead(job.x + row, wide);
#pragma omp simd
        for (int64_t c = 0; c < wide; ++c) {
          float dy = load(job.dy[row + c]);
          if constexpr (kTwo) dy += load(job.dy2[row + c]);
          const float x = load(job.x[row + c]);
          const float v = x * scale[c] + shift[c];
          const float dz = (v > bound.lower) & (v < bound.upper) ? dy : 0.0f;
          store(job.dx[row + c], a[c] * dz + (b[c] * (x - mean[c]) + constant[c]));
        }
      });
    });
  });
}

template <class T>
void normalization_backward(const NormalizationBackward<T>& job) {
  job.dy2 ? normalization_backward_as<T, true>(job) : normalization_backward_as<T, false>(job);
}
