// Pixels to the network's first activation. Included by variant.cpp inside the variant's own namespace.

/// Colours at most whose values lie side by side as they are: rows of them are taken as one.
constexpr int64_t kColours = 4;

/// `pixels` from `from` on to `to`, all of whose channels lie side by side.
template <class Pixel, class T, class Value>
void convert_side_by_side(const Pixel* from, int64_t pixels, int64_t channels, const float* scale, const float* shift, T* to,
                          const Value& value) {
  // Vectors that begin with the first channel have the same factors again after this many.
  const int64_t width = kLanes * channels, values = pixels * channels;
  float a[kLanes * kColours], b[kLanes * kColours];
  for (int64_t i = 0; i < width; ++i) a[i] = scale[i % channels], b[i] = shift[i % channels];
  for (int64_t first = 0; first < values; first += width) {
    const int64_t count = std::min(width, values - first);
#pragma omp simd
    for (int64_t i = 0; i < count; ++i) store(to[first + i], value(from[first + i]) * a[i] + b[i]);
  }
}

template <class Pixel, class T, class Value>
void convert_pixels(const std::byte* const* images, const Layout& layout, const float* scale, const float* shift, T* y, const Value& value) {
  const int64_t spatial = layout.spatial(), channels = layout.channels, block = layout.block(), blocks = layout.blocks();
  constexpr int64_t kRows = 4096;
  const int64_t pieces = (spatial + kRows - 1) / kRows;
#pragma omp parallel for collapse(2) schedule(static)
  for (int64_t n = 0; n < layout.images; ++n) {
    for (int64_t p = 0; p < pieces; ++p) {
      const int64_t end = std::min((p + 1) * kRows, spatial);
      if (block == channels && channels <= kColours) {
        const int64_t first = p * kRows;
        convert_side_by_side(reinterpret_cast<const Pixel*>(images[n]) + first * channels, end - first, channels, scale, shift,
                             y + (n * spatial + first) * channels, value);
        continue;
      }
      for (int64_t c = 0; c < layout.padded_channels(); ++c) {
        const Pixel* from = reinterpret_cast<const Pixel*>(images[n]) + c;
        T* to = y + ((n * blocks + c / block) * spatial) * block + c % block;
        if (c >= channels) {
          for (int64_t s = p * kRows; s < end; ++s) store(to[s * block], 0.0f);
          continue;
        }
        const float a = scale[c], b = shift[c];
        for (int64_t s = p * kRows; s < end; ++s) store(to[s * block], value(from[s * channels]) * a + b);
      }
    }
  }
}

template <class T>
void convert_uint8(const std::byte* const* images, const Layout& layout, const float* scale, const float* shift, T* y) {
  convert_pixels<uint8_t>(images, layout, scale, shift, y, [](uint8_t g) { return static_cast<float>(g) - 127.0f; });
}

template <class T>
void convert_float(const std::byte* const* images, const Layout& layout, const float* scale, const float* shift, T* y) {
  convert_pixels<float>(images, layout, scale, shift, y, [](float v) { return v; });
}
