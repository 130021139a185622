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

/// Some groups of an image's channels.
struct Groups {
  int64_t from, to;            // first value of the input's first group, and of the output's
  int64_t count;
  int64_t from_step, to_step;  // from group to group
  int64_t block;

  /// Calls f(group's first value of the input, of the output, channel, pack) for all channels.
  template <class F>
  [[gnu::always_inline]] void each_pack(const F& f) const {
    for (int64_t group = 0; group < count; ++group)
      for_each_pack(block, [&](int64_t c, auto pack) { f(from + group * from_step + c, to + group * to_step + c, pack); });
  }
  /// The same by tiles of channels: f(value of the input, of the output, width).
  template <class F>
  void each_tile(const F& f) const {
    for (int64_t group = 0; group < count; ++group)
      for_each_tile(block, [&](int64_t c, auto width) { f(from + group * from_step + c, to + group * to_step + c, width); });
  }
};

/// Calls f(groups) for each image and some groups of channels, which share what is known of a window; in parallel. f takes a copy:
/// what it stores is not groups, then.
template <class F>
void for_each_group(const Layout& in, const Layout& out, const F& f) {
  constexpr int64_t kGroups = 4;
  const int64_t block = in.block(), from_step = in.spatial() * block, to_step = out.spatial() * block;
#pragma omp parallel for collapse(2) schedule(static)
  for (int64_t n = 0; n < in.images; ++n) {
    for (int64_t b = 0; b < in.blocks(); b += kGroups) {
      const int64_t group = n * in.blocks() + b;
      f(Groups{group * from_step, group * to_step, std::min(kGroups, in.blocks() - b), from_step, to_step, block});
    }
  }
}

template <class T>
void max_pool_forward(const Layout& in, const Layout& out, const Window& window, const T* x, T* y, uint8_t* chosen) {
  for_each_group(in, out, [&](Groups groups) {
    const int64_t block = groups.block;
    for (int64_t oy = 0; oy < out.height; ++oy) {
      for (int64_t ox = 0; ox < out.width; ++ox) {
        const WindowSpan span = window_span(in, window, oy, ox);
        const int64_t pixel = (oy * out.width + ox) * block;
        const auto first = static_cast<int32_t>((span.y0 - span.top) * window.kernel_width + (span.x0 - span.left));
        groups.each_pack([&](int64_t from, int64_t to, auto pack) {
          using Pack = decltype(pack);
          auto best = typename Pack::Float{} - std::numeric_limits<float>::infinity();
          auto position = typename Pack::Int{} + first;
          for (int64_t iy = span.y0; iy < span.y1; ++iy) {
            auto k = static_cast<int32_t>((iy - span.top) * window.kernel_width + (span.x0 - span.left));
            const T* values = x + from + (iy * in.width + span.x0) * block;
            for (int64_t ix = span.x0; ix < span.x1; ++ix, ++k, values += block) {
              const auto v = Pack::load(values);
              const auto larger = (v > best) | (v != v);  // NaN wins: a diverged step must be seen
              best = larger ? v : best;
              position = larger ? typename Pack::Int{} + k : position;
            }
          }
          Pack::store(y + to + pixel, best);
          if (chosen) Pack::store(chosen + to + pixel, position);
        });
      }
    }
  });
}

/// The windows that hold a row or a column of the input: [first, last].
struct WindowRange {
  int64_t first, last;
};

inline std::vector<WindowRange> window_ranges(int64_t in, int64_t out, int64_t kernel, int64_t stride, int64_t padding) {
  std::vector<WindowRange> ranges;
  for (int64_t i = 0; i < in; ++i) {
    const int64_t after = i + padding - kernel + 1;  // a window that begins here or later holds i
    ranges.push_back({after <= 0 ? 0 : (after + stride - 1) / stride, std::min(out - 1, (i + padding) / stride)});
  }
  return ranges;
}

/// A window that holds a pixel of the input.
struct Holder {
  int64_t offset;    // of the window's output among those of its image and group
  int32_t position;  // of the pixel in the window
  float share;       // of the window's average; not set for maxima
};

/// Backward pooling: each value of the input gets a sum over the windows that hold it, in float32: contribution(pack, offset of the
/// output's value, holder).
template <bool kAverage, class T, class Contribution>
void gather_windows(const Layout& in, const Layout& out, const Window& window, T* dx, const Contribution& contribution) {
  const auto rows = window_ranges(in.height, out.height, window.kernel_height, window.stride_height, window.padding_height);
  const auto columns = window_ranges(in.width, out.width, window.kernel_width, window.stride_width, window.padding_width);
  for_each_group(in, out, [&](Groups groups) {
    std::vector<Holder> holders;
    for (int64_t iy = 0; iy < in.height; ++iy) {
      for (int64_t ix = 0; ix < in.width; ++ix) {
        holders.clear();
        const WindowRange row = rows[static_cast<size_t>(iy)], column = columns[static_cast<size_t>(ix)];
        for (int64_t oy = row.first; oy <= row.last; ++oy) {
          const int64_t window_row = iy - (oy * window.stride_height - window.padding_height);
          for (int64_t ox = column.first; ox <= column.last; ++ox) {
            const int64_t window_column = ix - (ox * window.stride_width - window.padding_width);
            const auto position = static_cast<int32_t>(window_row * window.kernel_width + window_column);
            const float share = kAverage ? 1.0f / window_span(in, window, oy, ox).divisor : 0.0f;
            holders.push_back({(oy * out.width + ox) * groups.block, position, share});
          }
        }
        T* target = dx + (iy * in.width + ix) * groups.block;
        groups.each_pack([&](int64_t from, int64_t to, auto pack) {
          typename decltype(pack)::Float total{};
          for (const Holder& holder : holders) total += contribution(pack, to + holder.offset, holder);
          pack.store(target + from, total);
        });
      }
    }
  });
}

template <class T>
void max_pool_backward(const Layout& in, const Layout& out, const Window& window, const T* dy, const uint8_t* chosen, T* dx) {
  gather_windows<false>(in, out, window, dx, [&](auto pack, int64_t at, const Holder& holder) {
    return pack.load(chosen + at) == holder.position ? pack.load(dy + at) : typename decltype(pack)::Float{};
  });
}

template <class T>
void average_pool_forward(const Layout& in, const Layout& out, const Window& window, const T* x, T* y) {
  for_each_group(in, out, [&](Groups groups) {
    groups.each_tile([&](int64_t from, int64_t to, auto width) {
      for (int64_t oy = 0; oy < out.height; ++oy) {
        for (int64_t ox = 0; ox < out.width; ++ox) {
          const WindowSpan span = window_span(in, window, oy, ox);
          TileValues<float, decltype(width)> total(width);
          for (int64_t iy = span.y0; iy < span.y1; ++iy) {
            for (int64_t ix = span.x0; ix < span.x1; ++ix) {
              const T* values = x + from + (iy * in.width + ix) * groups.block;
#pragma omp simd
              for (int64_t c = 0; c < width; ++c) total[c] += load(values[c]);
            }
          }
          T* target = y + to + (oy * out.width + ox) * groups.block;
#pragma omp simd
          for (int64_t c = 0; c < width; ++c) store(target[c], total[c] / span.divisor);
        }
      }
    });
  });
}

template <class T>
void average_pool_backward(const Layout& in, const Layout& out, const Window& window, const T* dy, T* dx) {
  gather_windows<true>(in, out, window, dx,
                       [&](auto pack, int64_t at, const Holder& holder) { return pack.load(dy + at) * holder.share; });
}

template <class T, class Mean>
void global_average_forward(const Layout& in, const T* x, Mean* y) {
  const int64_t spatial = in.spatial(), block = in.block(), blocks = in.blocks();
#pragma omp parallel for collapse(2) schedule(static)
  for (int64_t n = 0; n < in.images; ++n) {
    for (int64_t b = 0; b < blocks; ++b) {
      for_each_tile(block, [&](int64_t tile, auto width) {
        TileValues<double, decltype(width)> total(width);
        for (int64_t done = 0; done < spatial; done += kCachedRows) {
          const int64_t count = std::min(kCachedRows, spatial - done);
          const T* values = x + ((n * blocks + b) * spatial + done) * block + tile;
          TileValues<float, decltype(width)> sum(width);
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
