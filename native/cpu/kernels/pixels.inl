// Pixels to the network's first activation. Included by variant.cpp inside the variant's own namespace.

template <class Pixel, class T, class Value>
void convert_pixels(const std::byte* const* images, const Layout& layout, const float* scale, const float* shift, T* y, const Value& value) {
  const int64_t spatial = layout.spatial(), channels = layout.channels, block = layout.block(), blocks = layout.blocks();
  constexpr int64_t kRows = 4096;
  const int64_t pieces = (spatial + kRows - 1) / kRows;
#pragma omp parallel for collapse(2) schedule(static)
  for (int64_t n = 0; n < layout.images; ++n) {
    for (int64_t p = 0; p < pieces; ++p) {
      const int64_t end = std::min((p + 1) * kRows, spatial);
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
