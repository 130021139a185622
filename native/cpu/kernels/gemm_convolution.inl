// Convolutions as products of matrices: rows are pixels of the output, columns its channels, the depth runs over taps and input
// channels. In NHWC a tap row of the window lies in one piece, so the input's rows are read where they are; where the window
// reaches over the edge, or pixels are left out, from a copy of a strip of the image. Included by variant.cpp inside the
// variant's own namespace.

/// Pixels of a strip of the output: what a thread computes before it goes on.
constexpr int64_t kStripPixels = 192;

constexpr int64_t kPointerWords = sizeof(void*) / sizeof(uint32_t);

/// How a correlation's output is cut into strips of rows, and what a strip needs of the input.
template <class T>
struct Strips {
  Strips(const Correlation& correlation, int64_t threads) : c(correlation) {
    const int64_t most = std::max<int64_t>(1, std::min(kStripPixels / std::max<int64_t>(c.columns.count, 1),
                                                       (c.rows.count * c.in.images + 4 * threads - 1) / (4 * threads)));
    rows = std::min(most, std::max<int64_t>(c.rows.count, 1));
    per_image = (c.rows.count + rows - 1) / rows;
    const bool pointwise = c.rows.taps == 1 && c.columns.taps == 1;
    row_step = pointwise ? 1 : c.rows.in_step;
    column_step = pointwise ? 1 : c.columns.in_step;
    copies = !(pointwise && c.rows.in_step == 1 && c.columns.in_step == 1 && c.rows.in_first == 0 && c.columns.in_first == 0 &&
               c.rows.count <= c.in.height && c.columns.count <= c.in.width && c.in.channels % Words<T>::kValues == 0);
    width = copies ? (c.columns.count - 1) * column_step + c.columns.taps : c.in.width;
    // Pixel rows a cache line apart from powers of two.
    pitch = copies ? (width * c.in.channels + 31) / 32 * 32 + 32 : c.in.width * c.in.channels;
  }

  /// Rows of the copy for that many rows of the output.
  int64_t copied_rows(int64_t count) const { return (count - 1) * row_step + c.rows.taps; }
  int64_t pixels() const { return rows * c.columns.count; }
  int64_t copy_words() const { return copies ? Words<T>::of(copied_rows(rows) * pitch) : 0; }
  /// Of a thread: the copy, then for each pixel where its input and its output begin.
  int64_t scratch_words() const { return (copy_words() + pixels() * kPointerWords * 2 + 15) / 16 * 16; }

  const Correlation& c;
  int64_t rows;       // of a strip
  int64_t per_image;  // strips
  bool copies;
  int64_t row_step, column_step;  // between outputs, in what is read
  int64_t width;                  // of a row that is read, in pixels
  int64_t pitch;                  // of such rows, in values
};

/// Copies what the strip of `count` rows from `first` on reads of an image; zeros outside.
template <class T>
void copy_strip(const Strips<T>& strips, const T* image, int64_t first, int64_t count, T* to) {
  const Correlation& c = strips.c;
  const int64_t channels = c.in.channels;
  const int64_t step = c.columns.in_step / strips.column_step;  // pixels left out where the window has one
  for (int64_t r = 0; r < strips.copied_rows(count); ++r, to += strips.pitch) {
    to[strips.width * channels] = T{};  // the second half of a last word
    const int64_t y = c.rows.in_first + first * c.rows.in_step + r * (c.rows.in_step / strips.row_step);
    if (y < 0 || y >= c.in.height) {
      std::fill_n(to, strips.width * channels, T{});
      continue;
    }
    const T* from = image + y * c.in.width * channels;
    if (step == 1) {
      const int64_t left = std::clamp<int64_t>(-c.columns.in_first, 0, strips.width);
      const int64_t end = std::clamp<int64_t>(c.in.width - c.columns.in_first, left, strips.width);
      std::fill_n(to, left * channels, T{});
      std::copy_n(from + (c.columns.in_first + left) * channels, (end - left) * channels, to + left * channels);
      std::fill_n(to + end * channels, (strips.width - end) * channels, T{});
      continue;
    }
    for (int64_t p = 0; p < strips.width; ++p) {
      const int64_t x = c.columns.in_first + p * step;
      if (x < 0 || x >= c.in.width) {
        std::fill_n(to + p * channels, channels, T{});
      } else {
        std::copy_n(from + x * channels, channels, to + p * channels);
      }
    }
  }
}

/// kRows pixels by kVectors vectors of channels. What is written, and what the next tile reads, is fetched meanwhile.
template <int kRows, int kVectors, class T>
void correlate_tile(const Correlation& c, int64_t pitch, const T* const* inputs, bool fetch_next, const uint32_t* filters,
                    const float* bias, T* const* outputs, int64_t channel) {
  constexpr int64_t kLine = 64 / sizeof(T);
  const T* a[kRows];
  for (int r = 0; r < kRows; ++r) {
    a[r] = inputs[r];
    for (int64_t k = 0; k < kVectors * kLanes; k += kLine) __builtin_prefetch(outputs[r] + channel + k, 1);
    if (!fetch_next) continue;
    for (int64_t k = 0; k < c.in.channels; k += kLine) __builtin_prefetch(inputs[kRows + r] + k);
  }
  Vector sums[kRows][kVectors] = {};
  const int64_t words = run_words<T>(c);
  for (int64_t i = 0; i < c.rows.taps; ++i) {
    multiply_words<T>(a, words, filters, sums);
    for (int r = 0; r < kRows; ++r) a[r] += pitch;
    filters += words * kVectors * kLanes;
  }
  for (int v = 0; v < kVectors; ++v) {
    const int64_t first = channel + v * kLanes;
    const int64_t lanes = std::min<int64_t>(kLanes, c.out.channels - first);
    if (lanes == kLanes) {
      const Vector shift = bias ? load_vector(bias + first) : Vector{};
      for (int r = 0; r < kRows; ++r) VectorPack::store(outputs[r] + first, sums[r][v] + shift);
    } else {
      for (int r = 0; r < kRows; ++r) {
        for (int64_t lane = 0; lane < lanes; ++lane)
          store(outputs[r][first + lane], sums[r][v][lane] + (bias ? bias[first + lane] : 0.0f));
      }
    }
  }
}

template <class T>
void gemm_convolution(const GemmConvolution<T>& job) {
  const Correlation& c = job.correlation;
  const Strips<T> strips(c, job.threads);
  const EvenParts panels = column_panels(c.out.channels);
  const int64_t items = c.rows.count * c.columns.count > 0 ? c.in.images * strips.per_image : 0;
  const int64_t in_image = c.in.spatial() * c.in.channels, out_image = c.out.spatial() * c.out.channels;
#pragma omp parallel num_threads(static_cast <int>(job.threads))
  {
    uint32_t* scratch = job.scratch + omp_get_thread_num() * strips.scratch_words();
    const auto inputs = reinterpret_cast<const T**>(scratch);
    const auto outputs = reinterpret_cast<T**>(scratch + strips.pixels() * kPointerWords);
    T* copy = reinterpret_cast<T*>(scratch + strips.pixels() * kPointerWords * 2);
#pragma omp for schedule(static)
    for (int64_t item = 0; item < items; ++item) {
      const int64_t image = item / strips.per_image, first = item % strips.per_image * strips.rows;
      const int64_t rows = std::min(strips.rows, c.rows.count - first);
      const T* x = job.x + image * in_image + first * strips.pitch;
      if (strips.copies) {
        copy_strip(strips, job.x + image * in_image, first, rows, copy);
        x = copy;
      }
      int64_t pixel = 0;
      for (int64_t r = 0; r < rows; ++r) {
        T* row = job.y + image * out_image +
                 ((c.rows.out_first + (first + r) * c.rows.out_step) * c.out.width + c.columns.out_first) * c.out.channels;
        for (int64_t q = 0; q < c.columns.count; ++q, ++pixel) {
          inputs[pixel] = x + r * strips.row_step * strips.pitch + q * strips.column_step * c.in.channels;
          outputs[pixel] = row + q * c.columns.out_step * c.out.channels;
        }
      }
      const EvenParts tiles(pixel, kGemmRows);
      for (int64_t panel = 0; panel < panels.count; ++panel) {
        const uint32_t* filters = job.filters + panel_offset<T>(c, panels.begin(panel));
        for (int64_t tile = 0; tile < tiles.count; ++tile) {
          const int64_t begin = tiles.begin(tile);
          const bool fetch = panel == 0 && !strips.copies && tile + 1 < tiles.count && tiles.size(tile + 1) >= tiles.size(tile);
          with_tile(tiles.size(tile), panels.size(panel), [&](auto tile_rows, auto vectors) {
            correlate_tile<tile_rows, vectors>(c, strips.pitch, inputs + begin, fetch, filters, job.bias, outputs + begin,
                                               panels.begin(panel) * kLanes);
          });
        }
      }
    }
  }
}

template <class T>
int64_t gemm_convolution_scratch(const Correlation& c, int64_t threads) {
  return threads * Strips<T>(c, threads).scratch_words();
}
