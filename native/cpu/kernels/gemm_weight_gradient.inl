// Weight gradients as products of matrices: rows are output channels, columns the taps of a row of the window with their input
// channels, the depth are pixels. For the products pixels are put together to words, row by row of the image: x once for each tap
// of a row. Included by variant.cpp inside the variant's own namespace.

/// Output channels whose packed values lie together.
constexpr int64_t kGradientGroup = 64;

/// Images in rows and words; a 1 x 1 convolution of stride 1 does not care for rows, so that they are cut as words like them.
template <class T>
GemmShape in_whole_words(GemmShape s) {
  const bool pointwise = s.kernel_height == 1 && s.kernel_width == 1 && s.stride_height == 1 && s.stride_width == 1 &&
                         s.padding_height == 0 && s.padding_width == 0;
  if (!pointwise) return s;
  const int64_t pixels = s.in.images * s.in.spatial();
  for (int64_t width = 128; width >= 16; width -= Words<T>::kValues) {
    if (pixels % width != 0) continue;
    for (Layout* layout : {&s.in, &s.out}) layout->images = 1, layout->height = pixels / width, layout->width = width;
    break;
  }
  return s;
}

/// How the sums over pixels are cut: not by the number of threads, because the order of the sums depends on it.
template <class T>
struct GemmPieces {
  explicit GemmPieces(const GemmShape& shape)
      : s(in_whole_words<T>(shape)),
        row_words(Words<T>::of(s.out.width)),
        run((s.kernel_width * s.in.channels + kLanes - 1) / kLanes * kLanes),
        panels(run / kLanes, kGemmVectors),
        groups(s.out.channels, kGradientGroup) {
    constexpr int64_t kWords = 3 << 18;  // 3 MiB
    const int64_t a_row = row_words * (s.out.channels + run * s.stride_height);
    const int64_t wanted = std::max(kWords / a_row, (128 + row_words - 1) / row_words);
    per_image = (s.out.height + wanted - 1) / wanted;
    rows = (s.out.height + per_image - 1) / per_image;
    const int64_t whole = std::clamp<int64_t>(wanted / s.out.height, 1, s.out.images);
    const int64_t of_whole = (s.out.images + whole - 1) / whole;
    images = (s.out.images + of_whole - 1) / of_whole;
    count = images > 1 ? (s.out.images + images - 1) / images : s.out.images * per_image;
    x_rows = (rows - 1) * s.stride_height + s.kernel_height;
  }

  /// Words of a piece along the depth, and all its words.
  int64_t dy_depth() const { return images * rows * row_words; }
  int64_t x_depth() const { return images * x_rows * row_words; }
  int64_t dy_words() const { return (dy_depth() * s.out.channels + 15) / 16 * 16; }
  int64_t x_words() const { return x_depth() * run; }
  /// Values of a row of x with its padding, up to the last that a vector of columns takes.
  int64_t row_values() const {
    const int64_t pixels = (row_words * Words<T>::kValues - 1) * s.stride_width;
    return (std::max(pixels * s.in.channels + run, (s.padding_width + s.in.width) * s.in.channels) + 31) / 32 * 32;
  }
  /// Of a thread: such a row, or one pixel of dy.
  int64_t thread_words() const { return Words<T>::of(std::max(row_values(), (s.out.channels + 31) / 32 * 32)); }
  /// Whether tiles are summed where the gradient is wanted.
  bool in_place() const { return s.kernel_height == 1 && s.kernel_width == 1 && run == s.in.channels; }
  int64_t sum_words() const { return in_place() ? 0 : s.kernel_height * s.out.channels * run; }

  GemmShape s;
  int64_t row_words;  // of an output row
  int64_t run;        // columns: taps of a row with their channels, whole vectors
  EvenParts panels;   // of columns, in vectors
  EvenParts groups;   // of output channels
  int64_t rows;       // of a piece, in each of its images
  int64_t images;     // of a piece: one, or several whole ones
  int64_t per_image;  // pieces, where a piece is no whole image
  int64_t count;      // pieces
  int64_t x_rows;     // rows of x for the rows of a piece
};

/// The words of two pixels' values, to where `to` wants those from a channel on; any number of channels.
template <class T, class To>
[[gnu::always_inline]] inline void pack_pair(const T* first, const T* second, int64_t channels, const To& to) {
  int64_t c = 0;
  for (; c + kLanes <= channels; c += kLanes)
    store_vector(reinterpret_cast<float*>(to(c)), Words<T>::pair(first + c, second + c));
  for (; c < channels; ++c) {
    const T both[] = {first[c], second[c]};
    std::memcpy(to(c), both, sizeof(both));
  }
}

/// A row of dy, from word `first_word` of the piece on: (group, word, channel of the group). `row`: of a thread.
template <class T>
void pack_gradient_row(const GemmPieces<T>& pieces, const T* dy, int64_t first_word, T* row, uint32_t* to) {
  const int64_t channels = pieces.s.out.channels, width = pieces.s.out.width;
  if (width % Words<T>::kValues != 0) std::fill_n(row, channels, T{});
  for (int64_t w = 0; w < pieces.row_words; ++w) {
    const T* first = dy + 2 * w * channels;
    const T* second = 2 * w + 1 < width ? first + channels : row;
    for (int64_t g = 0; g < pieces.groups.count; ++g) {
      const int64_t begin = pieces.groups.begin(g), size = pieces.groups.size(g);
      uint32_t* words = to + begin * pieces.dy_depth() + (first_word + w) * size;
      pack_pair(first + begin, second + begin, size, [&](int64_t c) { return words + c; });
    }
  }
}

/// A row of x, or zeros, as the window's taps see it, likewise: (panel, word, column). Columns past the last hold anything.
template <class T>
void pack_input_row(const GemmPieces<T>& pieces, const T* x, int64_t first_word, T* row, uint32_t* to) {
  const GemmShape& s = pieces.s;
  const int64_t channels = s.in.channels, step = s.stride_width * channels;
  const int64_t left = s.padding_width * channels;
  const int64_t used = x ? std::min(s.in.width * channels, pieces.row_values() - left) : 0;
  std::fill_n(row, left, T{});
  if (x) std::copy_n(x, used, row + left);
  std::fill_n(row + left + used, pieces.row_values() - left - used, T{});
  for (int64_t panel = 0; panel < pieces.panels.count; ++panel) {
    const int64_t begin = pieces.panels.begin(panel) * kLanes, width = pieces.panels.size(panel) * kLanes;
    uint32_t* words = to + begin * pieces.x_depth() + first_word * width;
    for (int64_t w = 0; w < pieces.row_words; ++w, words += width) {
      const T* first = row + 2 * w * step + begin;
      for (int64_t c = 0; c < width; c += kLanes)
        store_vector(reinterpret_cast<float*>(words + c), Words<T>::pair(first + c, first + step + c));
    }
  }
}

/// One tile of the sums, over the pixels of a piece.
template <int kRows, int kVectors, class T>
void gemm_gradient_tile(const GemmPieces<T>& pieces, int64_t images, int64_t rows, const uint32_t* dy, int64_t dy_word,
                        const uint32_t* x, bool add, float* to, int64_t to_row) {
  Vector sums[kRows][kVectors] = {};
  if (add) {
    for (int r = 0; r < kRows; ++r) {
      for (int v = 0; v < kVectors; ++v) sums[r][v] = load_vector(to + r * to_row + v * kLanes);
    }
  }
  const int64_t step = pieces.s.stride_height;
  for (int64_t n = 0; n < images; ++n) {
    const uint32_t* b = x + n * pieces.x_rows * pieces.row_words * kVectors * kLanes;
    const int64_t runs = step == 1 ? 1 : rows, words = step == 1 ? rows * pieces.row_words : pieces.row_words;
    for (int64_t run = 0; run < runs; ++run, b += step * pieces.row_words * kVectors * kLanes) {
      const uint32_t* values = b;
      for (int64_t w = 0; w < words; ++w, dy += dy_word, values += kVectors * kLanes) {
        Vector vectors[kVectors];
        for (int v = 0; v < kVectors; ++v) vectors[v] = load_vector(reinterpret_cast<const float*>(values) + v * kLanes);
#pragma GCC unroll 8
        for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 4
          for (int v = 0; v < kVectors; ++v) sums[r][v] = Words<T>::multiply_add(sums[r][v], dy[r], vectors[v]);
        }
      }
    }
  }
  for (int r = 0; r < kRows; ++r) {
    for (int v = 0; v < kVectors; ++v) store_vector(to + r * to_row + v * kLanes, sums[r][v]);
  }
}

/// The tiles of all products with a piece, shared out among the threads.
template <class T>
void gemm_gradient_tiles(const GemmPieces<T>& pieces, int64_t images, int64_t rows, const uint32_t* dy, const uint32_t* x,
                         bool add, float* sums) {
  const GemmShape& s = pieces.s;
  const int64_t group_tiles = (kGradientGroup + kGemmRows - 1) / kGemmRows;
#pragma omp for schedule(static)
  for (int64_t item = 0; item < s.kernel_height * pieces.panels.count * pieces.groups.count * group_tiles; ++item) {
    const int64_t tile = item % group_tiles, group = item / group_tiles % pieces.groups.count;
    const int64_t panel = item / group_tiles / pieces.groups.count % pieces.panels.count;
    const int64_t i = item / group_tiles / pieces.groups.count / pieces.panels.count;
    const EvenParts tiles(pieces.groups.size(group), kGemmRows);
    if (tile >= tiles.count) continue;
    const int64_t column = pieces.panels.begin(panel) * kLanes, vectors = pieces.panels.size(panel);
    const int64_t channel = pieces.groups.begin(group) + tiles.begin(tile);
    with_tile(tiles.size(tile), vectors, [&](auto tile_rows, auto tile_vectors) {
      gemm_gradient_tile<tile_rows, tile_vectors>(
          pieces, images, rows, dy + pieces.groups.begin(group) * pieces.dy_depth() + tiles.begin(tile),
          pieces.groups.size(group), x + column * pieces.x_depth() + i * pieces.row_words * vectors * kLanes, add,
          sums + (i * s.out.channels + channel) * pieces.run + column, pieces.run);
    });
  }
}

/// (tap row, out, tap column, in) to (out, in, taps).
template <class T>
void gemm_store_gradient(const GemmPieces<T>& pieces, const float* sums, bool accumulate, float* gradient) {
  const GemmShape& s = pieces.s;
  const int64_t channels = s.in.channels, window = s.kernel_height * s.kernel_width;
#pragma omp for schedule(static)
  for (int64_t n = 0; n < s.out.channels; ++n) {
    for (int64_t c = 0; c < channels; ++c) {
      float* to = gradient + (n * channels + c) * window;
      for (int64_t i = 0; i < s.kernel_height; ++i) {
        const float* from = sums + (i * s.out.channels + n) * pieces.run + c;
        for (int64_t j = 0; j < s.kernel_width; ++j, ++to) *to = from[j * channels] + (accumulate ? *to : 0.0f);
      }
    }
  }
}

template <class T>
void gemm_weight_gradient(const GemmWeightGradient<T>& job) {
  const GemmPieces<T> pieces(job.shape);
  const GemmShape& s = pieces.s;
  uint32_t* dy = job.scratch;
  uint32_t* x = dy + pieces.dy_words();
  uint32_t* rows_of_threads = x + pieces.x_words();
  float* sums =
      pieces.in_place() ? job.gradient : reinterpret_cast<float*>(rows_of_threads + job.threads * pieces.thread_words());
#pragma omp parallel num_threads(static_cast <int>(job.threads))
  {
    T* copy = reinterpret_cast<T*>(rows_of_threads + omp_get_thread_num() * pieces.thread_words());
    for (int64_t piece = 0; piece < pieces.count; ++piece) {
      const int64_t image = pieces.images > 1 ? piece * pieces.images : piece / pieces.per_image;
      const int64_t images = std::min(pieces.images, s.out.images - image);
      const int64_t first = pieces.images > 1 ? 0 : piece % pieces.per_image * pieces.rows;
      const int64_t rows = std::min(pieces.rows, s.out.height - first);
      const int64_t x_rows = (rows - 1) * s.stride_height + s.kernel_height;
#pragma omp for collapse(2) schedule(static) nowait
      for (int64_t n = 0; n < images; ++n) {
        for (int64_t r = 0; r < pieces.x_rows; ++r) {
          if (r >= x_rows) continue;
          const int64_t y = first * s.stride_height - s.padding_height + r;
          const T* row = job.x + ((image + n) * s.in.height + y) * s.in.width * s.in.channels;
          pack_input_row(pieces, y >= 0 && y < s.in.height ? row : nullptr, (n * pieces.x_rows + r) * pieces.row_words, copy, x);
        }
      }
#pragma omp for collapse(2) schedule(static)
      for (int64_t n = 0; n < images; ++n) {
        for (int64_t r = 0; r < pieces.rows; ++r) {
          if (r >= rows) continue;
          pack_gradient_row(pieces, job.dy + ((image + n) * s.out.height + first + r) * s.out.width * s.out.channels,
                            (n * rows + r) * pieces.row_words, copy, dy);
        }
      }
      gemm_gradient_tiles(pieces, images, rows, dy, x, piece > 0 || (pieces.in_place() && job.accumulate), sums);
    }
    if (!pieces.in_place()) gemm_store_gradient(pieces, sums, job.accumulate, job.gradient);
  }
}

template <class T>
int64_t gemm_weight_gradient_scratch(const GemmShape& shape, int64_t threads) {
  const GemmPieces<T> pieces(shape);
  return pieces.dy_words() + pieces.x_words() + threads * pieces.thread_words() + pieces.sum_words();
}

constexpr GemmKernels<Bfloat16> kGemmBfloat16 = {
    .filter_words = gemm_filter_words<Bfloat16>,
    .filters = gemm_filters<Bfloat16>,
    .convolution_scratch = gemm_convolution_scratch<Bfloat16>,
    .convolution = gemm_convolution<Bfloat16>,
    .weight_gradient_scratch = gemm_weight_gradient_scratch<Bfloat16>,
    .weight_gradient = gemm_weight_gradient<Bfloat16>,
};
