// Layers that treat each value by itself, and copies. Included by variant.cpp inside the variant's own namespace.

/// Calls f(i) for all i, in parallel and vectorised.
template <class F>
void for_each_value(int64_t size, const F& f) {
#pragma omp parallel for simd schedule(static)
  for (int64_t i = 0; i < size; ++i) f(i);
}

template <class T>
void relu_forward(int64_t size, const T* x, float upper, T* y) {
  for_each_value(size, [=](int64_t i) {
    float v = load(x[i]);
    v = v < 0.0f ? 0.0f : v;
    store(y[i], v > upper ? upper : v);
  });
}

template <class T>
void relu_backward(int64_t size, const T* dy, const T* y, float upper, T* dx) {
  const float clipped = as_stored<T>(upper);
  for_each_value(size, [=](int64_t i) {
    const float v = load(y[i]), gradient = load(dy[i]);
    store(dx[i], (v > 0.0f) & (v < clipped) ? gradient : 0.0f);
  });
}

template <class T>
void add(int64_t size, const T* a, const T* b, T* y) {
  for_each_value(size, [=](int64_t i) { store(y[i], load(a[i]) + load(b[i])); });
}

inline void accumulate(int64_t size, const float* source, float* target) {
  for_each_value(size, [=](int64_t i) { target[i] += source[i]; });
}

template <class T>
void concat_copy(const Layout& part, T* part_values, const Layout& whole, T* whole_values, int64_t first_channel,
                 bool into_whole) {
  const int64_t spatial = part.spatial(), width = part.block();
#pragma omp parallel for collapse(2) schedule(static)
  for (int64_t n = 0; n < part.images; ++n) {
    for (int64_t b = 0; b < part.blocks(); ++b) {
      // A group of the part lies within one group of the whole: NHWC has one, blocked parts begin at multiples of 16.
      const int64_t channel = first_channel + b * width;
      T* rows = part_values + (n * part.blocks() + b) * spatial * width;
      T* whole_rows =
          whole_values + (n * whole.blocks() + channel / whole.block()) * spatial * whole.block() + channel % whole.block();
      for (int64_t s = 0; s < spatial; ++s) {
        T* a = rows + s * width;
        T* w = whole_rows + s * whole.block();
        into_whole ? std::copy_n(a, width, w) : std::copy_n(w, width, a);
      }
    }
  }
}

template <class T>
void dropout(const Layout& layout, const T* x, T* y, float probability, uint64_t seed, uint32_t stream, uint64_t step,
             int64_t images_before) {
  const auto key = philox_key(seed);
  const int64_t block = layout.block(), blocks = layout.blocks(), spatial = layout.spatial(), channels = layout.channels;
  const float scale = 1.0f / (1.0f - probability);
  // A word w keeps its value where w * 2^-32 >= probability.
  const auto threshold = static_cast<uint64_t>(std::ceil(static_cast<double>(probability) * 0x1p32));
  for_each_piece(layout, [&](int64_t first, int64_t rows, int64_t channel) {
    const int64_t width = std::min(block, channels - channel);
    for (int64_t r = 0; r < rows; ++r) {
      const int64_t position = first / block + r;  // (n * blocks + b) * spatial + s
      const int64_t n = position / (spatial * blocks), s = position % spatial;
      const auto begin = static_cast<uint64_t>(((n + images_before) * spatial + s) * channels + channel);
      const T* from = x + first + r * block;
      T* to = y + first + r * block;
      std::array<uint32_t, 4> words{};
      for (int64_t c = 0; c < width; ++c) {
        const uint64_t i = begin + static_cast<uint64_t>(c);
        if (c == 0 || i % 4 == 0) {
          words = philox({static_cast<uint32_t>(i / 4), static_cast<uint32_t>(i / 4 >> 32), stream, static_cast<uint32_t>(step)},
                         key);
        }
        store(to[c], words[i % 4] >= threshold ? load(from[c]) * scale : 0.0f);
      }
      for (int64_t c = width; c < block; ++c) store(to[c], 0.0f);
    }
  });
}
