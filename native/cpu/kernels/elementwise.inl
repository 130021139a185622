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
