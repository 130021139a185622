// Gradient of a bias. Included by variant.cpp inside the variant's own namespace.

template <class T>
void bias_gradient(const BiasGradient<T>& job) {
  const Layout& layout = job.layout;
  const int64_t channels = layout.padded_channels(), block = layout.block(), items = reduction_items(layout);
  for_each_item(layout, [&](int64_t item, int64_t first, int64_t rows, int64_t channel) {
    for_each_tile(block, [&](int64_t tile, auto width) {
      double* partial = job.partial + item * channels + channel + tile;
      std::fill_n(partial, static_cast<int64_t>(width), 0.0);
      for (int64_t done = 0; done < rows; done += kCachedRows) {
        TileValues<float, decltype(width)> sums(width);
        for (int64_t r = done; r < std::min(done + kCachedRows, rows); ++r) {
          const T* values = job.dy + first + r * block + tile;
          ask_ahead(values, width);
#pragma omp simd
          for (int64_t c = 0; c < width; ++c) sums[c] += load(values[c]);
        }
        for (int64_t c = 0; c < width; ++c) partial[c] += static_cast<double>(sums[c]);
      }
    });
  });
  for (int64_t c = 0; c < layout.channels; ++c) {
    double sum = 0;
    for (int64_t item = 0; item < items; ++item) sum += job.partial[item * channels + c];
    job.gradient[c] = static_cast<float>(sum) + (job.accumulate ? job.gradient[c] : 0.0f);
  }
}
