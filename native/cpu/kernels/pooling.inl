// Pooling, forward and backward. Included by variant.cpp inside the variant's own namespace.

/// The part of a window that lies inside the image, and the divisor of its average.
struct WindowSpan {
  int64_t y0, y1, x0, x1;  // rows and columns of the image, ends excluded
  int64_t top, left;       // row and column of the window's first position; may be negative
  float divisor;
};

[[gnu::always_inline]] inline WindowSpan window_span(const Layout& in, const Window& w, int64_t oy, int64_t ox) {
  WindowSpan span;
  span.top = oy * w.stride_height - w.padding_height;
  span.left = ox * w.stride_width - w.padding_width;
  span.y0 = std::max<int64_t>(span.top, 0);
  span.x0 = std::max<int64_t>(span.left, 0);
  span.y1 = std::min(span.top + w.kernel_height, in.height);
  span.x1 = std::min(span.left + w.kernel_width, in.width);
  // As PyTorch counts it: padding counts, what ceil mode adds beyond the padding does not.
  const int64_t padded_rows = std::min(span.top + w.kernel_height, in.height + w.padding_height) - span.top;
  const int64_t padded_columns = std::min(span.left + w.kernel_width, in.width + w.padding_width) - span.left;
  const int64_t inside = (span.y1 - span.y0) * (span.x1 - span.x0);
  span.divisor = static_cast<float>(w.count_include_pad ? padded_rows * padded_columns : inside);
  return span;
}

/// Calls f(first value of the input's group, first value of the output's group, block) for each image and group of channels, in parallel.
template <class F>
void for_each_group(const Layout& in, const Layout& out, const F& f) {
  with_constant(in.block(), [&](auto block) {
#pragma omp parallel for collapse(2) schedule(static)
    for (int64_t n = 0; n < in.images; ++n) {
      for (int64_t b = 0; b < in.blocks(); ++b) {
        const int64_t group = n * in.blocks() + b;
        f(group * in.spatial() * block, group * out.spatial() * block, block);
      }
    }
  });
}

template <class T>
void max_pool_forward(const Layout& in, const Layout& out, const Window& window, const T* x, T* y, uint8_t* chosen) {
  for_each_group(in, out, [&](int64_t from, int64_t to, auto block) {
    for (int64_t oy = 0; oy < out.height; ++oy) {
      for (int64_t ox = 0; ox < out.width; ++ox) {
        const WindowSpan span = window_span(in, window, oy, ox);
        T* best = y + to + (oy * out.width + ox) * block;
        uint8_t* position = chosen ? chosen + to + (oy * out.width + ox) * block : nullptr;
        bool first = true;
        for (int64_t iy = span.y0; iy < span.y1; ++iy) {
          for (int64_t ix = span.x0; ix < span.x1; ++ix) {
            const T* values = x + from + (iy * in.width + ix) * block;
            const auto k = static_cast<uint8_t>((iy - span.top) * window.kernel_width + (ix - span.left));
            if (first) {
              std::copy_n(values, static_cast<int64_t>(block), best);
              if (position) std::fill_n(position, static_cast<int64_t>(block), k);
              first = false;
            } else if (position) {
#pragma omp simd
              for (int64_t c = 0; c < block; ++c) {
                const float v = load(values[c]), present = load(best[c]);
                const bool larger = (v > present) | (v != v);  // NaN wins: a diverged step must be seen
                best[c] = larger ? values[c] : best[c];
                position[c] = larger ? k : position[c];
              }
            } else {
#pragma omp simd
              for (int64_t c = 0; c < block; ++c) {
                const float v = load(values[c]);
                best[c] = (v > load(best[c])) | (v != v) ? values[c] : best[c];
              }
            }
          }
        }
      }
    }
  });
}

template <class T>
void max_pool_backward(const Layout& in, const Layout& out, const Window& window, const T* dy, const uint8_t* chosen, T* dx) {
  for_each_group(in, out, [&](int64_t from, int64_t to, auto block) {
    // Row by row of the input: what each value gets comes from the windows that hold it, summed in float32.
    std::vector<float> sum(static_cast<size_t>(block));
    for (int64_t iy = 0; iy < in.height; ++iy) {
      const int64_t oy0 = std::max<int64_t>(0, (iy + window.padding_height - window.kernel_height) / window.stride_height);
      const int64_t oy1 = std::min(out.height - 1, (iy + window.padding_height) / window.stride_height);
      for (int64_t ix = 0; ix < in.width; ++ix) {
        const int64_t ox0 = std::max<int64_t>(0, (ix + window.padding_width - window.kernel_width) / window.stride_width);
        const int64_t ox1 = std::min(out.width - 1, (ix + window.padding_width) / window.stride_width);
        std::fill(sum.begin(), sum.end(), 0.0f);
        float* total = sum.data();
        for (int64_t oy = oy0; oy <= oy1; ++oy) {
          for (int64_t ox = ox0; ox <= ox1; ++ox) {
            const int64_t row = iy - (oy * window.stride_height - window.padding_height);
            const int64_t column = ix - (ox * window.stride_width - window.padding_width);
            if (row < 0 || row >= window.kernel_height || column < 0 || column >= window.kernel_width) continue;
            const auto k = static_cast<uint8_t>(row * window.kernel_width + column);
            const int64_t at = to + (oy * out.width + ox) * block;
#pragma omp simd
            for (int64_t c = 0; c < block; ++c) total[c] += chosen[at + c] == k ? load(dy[at + c]) : 0.0f;
          }
        }
        T* target = dx + from + (iy * in.width + ix) * block;
#pragma omp simd
        for (int64_t c = 0; c < block; ++c) store(target[c], total[c]);
      }
    }
  });
}

template <class T>
void average_pool_forward(const Layout& in, const Layout& out, const Window& window, const T* x, T* y) {
  for_each_group(in, out, [&](int64_t from, int64_t to, auto block) {
    std::vector<float> sum(static_cast<size_t>(block));
    for (int64_t oy = 0; oy < out.height; ++oy) {
      for (int64_t ox = 0; ox < out.width; ++ox) {
        const WindowSpan span = window_span(in, window, oy, ox);
        std::fill(sum.begin(), sum.end(), 0.0f);
        float* total = sum.data();
        for (int64_t iy = span.y0; iy < span.y1; ++iy) {
          for (int64_t ix = span.x0; ix < span.x1; ++ix) {
            const T* values = x + from + (iy * in.width + ix) * block;
#pragma omp simd
            for (int64_t c = 0; c < block; ++c) total[c] += load(values[c]);
          }
        }
        T* target = y + to + (oy * out.width + ox) * block;
#pragma omp simd
        for (int64_t c = 0; c < block; ++c) store(target[c], total[c] / span.divisor);
      }
    }
  });
}

template <class T>
void average_pool_backward(const Layout& in, const Layout& out, const Window& window, const T* dy, T* dx) {
  for_each_group(in, out, [&](int64_t from, int64_t to, auto block) {
    std::vector<float> sum(static_cast<size_t>(block));
    for (int64_t iy = 0; iy < in.height; ++iy) {
      const int64_t oy0 = std::max<int64_t>(0, (iy + window.padding_height - window.kernel_height) / window.stride_height);
      const int64_t oy1 = std::min(out.height - 1, (iy + window.padding_height) / window.stride_height);
      for (int64_t ix = 0; ix < in.width; ++ix) {
        const int64_t ox0 = std::max<int64_t>(0, (ix + window.padding_width - window.kernel_width) / window.stride_width);
        const int64_t ox1 = std::min(out.width - 1, (ix + window.padding_width) / window.stride_width);
        std::fill(sum.begin(), sum.end(), 0.0f);
        float* total = sum.data();
        for (int64_t oy = oy0; oy <= oy1; ++oy) {
          for (int64_t ox = ox0; ox <= ox1; ++ox) {
            const WindowSpan span = window_span(in, window, oy, ox);
            if (iy < span.y0 || iy >= span.y1 || ix < span.x0 || ix >= span.x1) continue;
            const T* values = dy + to + (oy * out.width + ox) * block;
            const float share = 1.0f / span.divisor;
#pragma omp simd
            for (int64_t c = 0; c < block; ++c) total[c] += load(values[c]) * share;
          }
        }
        T* target = dx + from + (iy * in.width + ix) * block;
#pragma omp simd
        for (int64_t c = 0; c < block; ++c) store(target[c], total[c]);
      }
    }
  });
}

template <class T, class Mean>
void global_average_forward(const Layout& in, const T* x, Mean* y) {
  const int64_t spatial = in.spatial(), block = in.block(), blocks = in.blocks();
#pragma omp parallel for collapse(2) schedule(static)
  for (int64_t n = 0; n < in.images; ++n) {
    for (int64_t b = 0; b < blocks; ++b) {
      for_each_tile(block, [&](int64_t tile, auto width) {
        double total[kTile] = {};
        for (int64_t done = 0; done < spatial; done += kCachedRows) {
          const int64_t count = std::min(kCachedRows, spatial - done);
          const T* values = x + ((n * blocks + b) * spatial + done) * block + tile;
          float sum[kTile] = {};
          for (int64_t r = 0; r < count; ++r) {
#pragma omp simd
            for (int64_t c = 0; c < width; ++c) sum[c] += load(values[r * block + c]);
          }
          for (int64_t c = 0; c < width; ++c) total[c] += static_cast<double>(sum[c]);
        }
        const int64_t channel = b * block + tile;
        for (int64_t c = 0; c < width && channel + c < in.channels; ++c) {
          store(y[n * in.channels + channel + c], static_cast<float>(total[c] / static_cast<double>(spatial)));
        }
      });
    }
  }
}

template <class T>
void global_average_backward(const Layout& in, const T* dy, T* dx) {
  const float share = 1.0f / static_cast<float>(in.spatial());
  const int64_t block = in.block(), per_image = in.blocks() * in.spatial();
  for_each_piece(in, [&](int64_t first, int64_t rows, int64_t channel) {
    const int64_t n = first / block / per_image;
    const int64_t width = std::min(block, in.channels - channel);
    for (int64_t r = 0; r < rows; ++r) {
      T* target = dx + first + r * block;
      const T* gradient = dy + n * in.channels + channel;
      for (int64_t c = 0; c < width; ++c) store(target[c], load(gradient[c]) * share);
      for (int64_t c = width; c < block; ++c) store(target[c], 0.0f);
    }
  });
}
