// Weight gradients of convolutions whose input has few channels: a network's first layer. Included by variant.cpp inside the
// variant's own namespace.
//
//   dW(out, tap, in) = sum over rows of dy(row, out) * x(row's pixel under the tap, in)
//
// The pixels under all taps of some rows are copied together (im2col), as far as they lie side by side by whole vectors.

/// How such a gradient is cut.
struct FewChannelsPieces {
  explicit FewChannelsPieces(const FewChannelsGradient& job)
      : run(job.kernel_width * job.in.channels), columns(job.kernel_height * run), panels(columns), out(job.out.channels) {
    const int64_t rows = job.out.images * job.out.spatial();
    const int64_t blocks = (rows + kGradientRows - 1) / kGradientRows;
    const int64_t blocks_a_chunk = (blocks + kMostChunks - 1) / kMostChunks;
    chunk_rows = blocks_a_chunk * kGradientRows;
    chunks = (blocks + blocks_a_chunk - 1) / blocks_a_chunk;
  }
  /// Values of a row that is copied together; the last vector may be written past the columns.
  int64_t row() const { return panels.vectors * kLanes + kLanes; }
  int64_t chunk_values() const { return out * panels.vectors * kLanes; }
  int64_t block_values() const { return kGradientRows * row(); }

  static constexpr int64_t kMostChunks = 32;
  int64_t run;  // values under one row of taps
  int64_t columns;
  Panels panels;
  int64_t out;
  int64_t chunks, chunk_rows;
};

inline int64_t few_channels_scratch(const FewChannelsGradient& job) {
  const FewChannelsPieces pieces(job);
  return job.threads * pieces.block_values() + pieces.chunks * pieces.chunk_values();
}

/// Values [begin, end) of a row of `size`, zeros outside.
inline void copy_inside(const float* row, int64_t size, int64_t begin, int64_t end, float* to) {
  for (int64_t i = begin; i < end; ++i) *to++ = i >= 0 && i < size ? row[i] : 0.0f;
}

/// The pixels under all taps, row by row.
inline void pack_windows(const FewChannelsGradient& job, const FewChannelsPieces& pieces, int64_t first_row, int64_t rows, float* to) {
  const Layout &in = job.in, &out = job.out;
  const int64_t line = in.width * in.channels, reach = round_up(pieces.run, kLanes);
  const float* end = job.x + in.size();
  int64_t image = first_row / out.spatial(), out_y = first_row / out.width % out.height, out_x = first_row % out.width;
  for (int64_t r = 0; r < rows; ++r, to += pieces.row()) {
    const int64_t y = out_y * job.stride_height - job.padding_height;
    const int64_t begin = (out_x * job.stride_width - job.padding_width) * in.channels;
    float* at = to;
    for (int64_t i = 0; i < job.kernel_height; ++i, at += pieces.run) {
      if (y + i < 0 || y + i >= in.height) {
        std::fill_n(at, pieces.run, 0.0f);
        continue;
      }
      const float* from = job.x + (image * in.height + y + i) * line;
      if (begin < 0 || begin + pieces.run > line || from + begin + reach > end) {
        copy_inside(from, line, begin, begin + pieces.run, at);
      } else {
        for (int64_t c = 0; c < reach; c += kLanes) store_vector(at + c, load_vector(from + begin + c));
      }
    }
    std::fill(to + pieces.columns, to + pieces.panels.vectors * kLanes, 0.0f);
    if (++out_x < out.width) continue;
    out_x = 0;
    if (++out_y < out.height) continue;
    out_y = 0, ++image;
  }
}

/// Adds up chunks of (out, taps, in) into (out, in, taps).
inline void join_few_channels(const FewChannelsGradient& job, const FewChannelsPieces& pieces, const float* sums) {
  const int64_t channels = job.in.channels, taps = job.kernel_height * job.kernel_width;
#pragma omp for schedule(static)
  for (int64_t n = 0; n < pieces.out; ++n) {
    const float* from = sums + n * pieces.panels.vectors * kLanes;
    float* to = job.gradient + n * pieces.columns;
    for (int64_t column = 0; column < pieces.columns; ++column) {
      float sum = from[column];
      for (int64_t chunk = 1; chunk < pieces.chunks; ++chunk) sum += from[chunk * pieces.chunk_values() + column];
      float& target = to[column % channels * taps + column / channels];
      target = job.accumulate ? target + sum : sum;
    }
  }
}

inline void few_channels_gradient(const FewChannelsGradient& job) {
  const FewChannelsPieces pieces(job);
  const int64_t all_rows = job.out.images * job.out.spatial(), row_values = pieces.panels.vectors * kLanes;
  float* sums = job.scratch + job.threads * pieces.block_values();
#pragma omp parallel num_threads(static_cast<int>(job.threads))
  {
    float* block = job.scratch + omp_get_thread_num() * pieces.block_values();
#pragma omp for schedule(static)
    for (int64_t chunk = 0; chunk < pieces.chunks; ++chunk) {
      const int64_t begin = chunk * pieces.chunk_rows, end = std::min(begin + pieces.chunk_rows, all_rows);
      for (int64_t row = begin; row < end; row += kGradientRows) {
        const int64_t rows = std::min(kGradientRows, end - row);
        pack_windows(job, pieces, row, rows, block);
        for (int64_t n = 0; n < pieces.panels.count; ++n) {
          const int64_t column = pieces.panels.begin(n);
          const Product p{.depth = rows,
                          .a = job.dy + row * pieces.out,
                          .a_row = 1,
                          .a_depth = pieces.out,
                          .b = block + column,
                          .b_depth = pieces.row(),
                          .c = sums + chunk * pieces.chunk_values() + column,
                          .c_row = row_values};
          const GradientAhead ahead{job.dy + (row + rows < end ? row + rows : row) * pieces.out};
          row > begin ? gradient_tiles<true>(p, pieces.out, pieces.panels.width(n), ahead)
                      : gradient_tiles<false>(p, pieces.out, pieces.panels.width(n), ahead);
        }
      }
    }
    join_few_channels(job, pieces, sums);
  }
}

constexpr FewChannelsKernels kFewChannels = {
    .scratch = few_channels_scratch,
    .gradient = few_channels_gradient,
};
