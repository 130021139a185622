// Weight gradients in bfloat16, activations in groups of 16 channels. Included by variant.cpp inside the variant's own namespace.
//
//   dW(in, out, tap) = sum over rows of x(row's pixel under the tap, in) * dy(row, out)
//
// An instruction multiplies pairs (VDPBF16PS): of two rows, the values of a channel lie side by side then, which a group of 16
// channels comes to by one permutation of two pixels. Rows are packed so in chunks: dy in the second-level cache, a group of x in
// the first; 8 x 32 sums stay in registers.

/// Bytes of dy that a chunk packs.
constexpr int64_t kPairBytes = 384 * 1024;
/// Bytes that the sums of all row parts may take, if there is more than one.
constexpr int64_t kPairSums = 2 * 1024 * 1024;
constexpr int64_t kGroup = 16;  // channels

/// How a weight gradient is cut: row parts are summed by themselves and depend on the layout alone, so the same sums come about
/// in the same order whatever the number of threads.
struct PairCut {
  PairCut(const TapGrid& tap_grid, int64_t tap_count, int64_t threads)
      : grid(tap_grid), taps(tap_count), in_groups(grid.in.blocks()), out_groups(grid.out.blocks()) {
    const int64_t rows = grid.height * grid.width;
    const int64_t most = std::clamp<int64_t>(kPairBytes / (out_groups * kGroup * int64_t{sizeof(float)}), 64, 256);
    pieces_an_image = (rows + 2 * most - 1) / (2 * most);
    piece_rows = round_up((rows + pieces_an_image - 1) / pieces_an_image, 2);
    pieces_an_image = (rows + piece_rows - 1) / piece_rows;
    pieces = pieces_an_image * grid.out.images;
    pieces_a_chunk = std::min(std::max<int64_t>(1, 2 * most / piece_rows), pieces);
    row_parts = std::clamp<int64_t>(kPairSums / (part_sums() * int64_t{sizeof(float)}), 1, 16);
    // Most machines have such numbers of threads, which share the parts evenly then.
    row_parts = static_cast<int64_t>(std::bit_floor(static_cast<uint64_t>(std::min(row_parts, pieces))));
    unit_parts = std::min((threads + row_parts - 1) / row_parts, units());
  }

  /// A tap and a group of the input's channels.
  int64_t units() const { return taps * in_groups; }
  int64_t sums_row() const { return (out_groups | 1) * kGroup; }
  int64_t unit_sums() const { return kGroup * sums_row(); }
  int64_t part_sums() const { return units() * unit_sums(); }
  int64_t chunk_pairs() const { return pieces_a_chunk * piece_rows / 2; }
  /// Of a thread, in values of float32: a pair is one.
  int64_t thread_values() const { return (out_groups + 1) * chunk_pairs() * kGroup + 2 * chunk_pairs() + kGroup; }

  TapGrid grid;
  int64_t taps, in_groups, out_groups;
  int64_t pieces_an_image, piece_rows, pieces;
  int64_t pieces_a_chunk;
  int64_t row_parts, unit_parts;  // of the work
};

/// sums(16, kVectors * 16) = x^T dy (+ what is there) over pairs.
template <int kVectors>
void multiply_pairs(const float* x, const float* dy, int64_t dy_group, int64_t pairs, float* sums, int64_t sums_row, bool add) {
  constexpr int kRows = 8;
  for (int64_t half = 0; half < kGroup; half += kRows, sums += kRows * sums_row) {
    Vector products[kRows][kVectors];
    for (int r = 0; r < kRows; ++r) {
      for (int v = 0; v < kVectors; ++v) products[r][v] = add ? load_vector(sums + r * sums_row + v * kGroup) : Vector{};
    }
    // The sums that come next: the other half's, then those of the next columns.
    const float* next = half == 0 ? sums + kRows * sums_row : sums - kRows * sums_row + kVectors * kGroup;
    for (int r = 0; r < kRows; ++r) {
      for (int v = 0; v < kVectors; ++v) __builtin_prefetch(next + r * sums_row + v * kGroup, 1);
    }
    for (int64_t p = 0; p < pairs; ++p) {
      __m512bh columns[kVectors];
#pragma GCC unroll 2
      for (int v = 0; v < kVectors; ++v) columns[v] = reinterpret_cast<__m512bh>(load_vector(dy + v * dy_group + p * kGroup));
#pragma GCC unroll 8
      for (int r = 0; r < kRows; ++r) {
        const auto row = reinterpret_cast<__m512bh>(broadcast(x[p * kGroup + half + r]));
#pragma GCC unroll 2
        for (int v = 0; v < kVectors; ++v)
          products[r][v] = reinterpret_cast<Vector>(_mm512_dpbf16_ps(reinterpret_cast<__m512>(products[r][v]), row, columns[v]));
      }
    }
    for (int r = 0; r < kRows; ++r) {
      for (int v = 0; v < kVectors; ++v) store_vector(sums + r * sums_row + v * kGroup, products[r][v]);
    }
  }
}

/// A thread's part of a weight gradient: some rows, some units.
class PairPart {
 public:
  PairPart(const TapWeightGradient<Bfloat16>& job, const PairCut& cut, int64_t part, float* scratch)
      : job_(job),
        cut_(cut),
        row_part_(part / cut.unit_parts),
        first_unit_(cut.units() * (part % cut.unit_parts) / cut.unit_parts),
        end_unit_(cut.units() * (part % cut.unit_parts + 1) / cut.unit_parts),
        sums_(job.scratch + row_part_ * cut.part_sums()),
        outputs_(scratch),
        inputs_(outputs_ + cut.out_groups * cut.chunk_pairs() * kGroup),
        places_(reinterpret_cast<int32_t*>(inputs_ + cut.chunk_pairs() * kGroup)),
        zeros_(reinterpret_cast<Bfloat16*>(places_ + 2 * cut.chunk_pairs())) {
    std::fill_n(zeros_, kGroup, Bfloat16{});
  }

  void compute() {
    const auto first_piece = [&](int64_t part) { return cut_.pieces * part / cut_.row_parts; };
    const int64_t begin = first_piece(row_part_), end = first_piece(row_part_ + 1);
    for (int64_t piece = begin; piece < end; piece += cut_.pieces_a_chunk) {
      first_ = piece, count_ = std::min(cut_.pieces_a_chunk, end - piece);
      pack_outputs();
      for (int64_t unit = first_unit_; unit < end_unit_; ++unit) {
        if (unit == first_unit_ || unit % cut_.in_groups == 0) find_places(job_.taps[static_cast<size_t>(unit / cut_.in_groups)]);
        pack_inputs(unit % cut_.in_groups);
        multiply(unit, piece > begin);
      }
    }
  }

 private:
  static void store_pair(float* to, const Bfloat16* first, const Bfloat16* second) {
    *reinterpret_cast<Words*>(to) = pair_words(first, second, first_lanes(kGroup));
  }

  int64_t image(int64_t piece) const { return (first_ + piece) / cut_.pieces_an_image; }
  int64_t row(int64_t piece) const { return (first_ + piece) % cut_.pieces_an_image * cut_.piece_rows; }
  int64_t rows(int64_t piece) const { return std::min(cut_.piece_rows, cut_.grid.height * cut_.grid.width - row(piece)); }

  void pack_outputs() {
    const int64_t spatial = cut_.grid.out.spatial();
    for (int64_t group = 0; group < cut_.out_groups; ++group) {
      float* to = outputs_ + group * cut_.chunk_pairs() * kGroup;
      for (int64_t piece = 0; piece < count_; ++piece) {
        const Bfloat16* from = job_.dy + ((image(piece) * cut_.out_groups + group) * spatial + row(piece)) * kGroup;
        for (int64_t r = 0, count = rows(piece); r < count; r += 2, to += kGroup)
          store_pair(to, from + r * kGroup, r + 1 < count ? from + (r + 1) * kGroup : zeros_);
      }
    }
  }

  /// Where the pixels under a tap lie in their image and group, -1 outside.
  void find_places(const Tap& tap) {
    const TapGrid& grid = cut_.grid;
    int32_t* to = places_;
    for (int64_t piece = 0; piece < count_; ++piece) {
      int64_t x = row(piece) % grid.width, y = row(piece) / grid.width;
      for (int64_t r = 0; r < round_up(rows(piece), 2); ++r) {
        const int64_t in_y = y * grid.in_step_y + tap.y, in_x = x * grid.in_step_x + tap.x;
        const bool inside = r < rows(piece) && in_y >= 0 && in_y < grid.in.height && in_x >= 0 && in_x < grid.in.width;
        *to++ = inside ? static_cast<int32_t>((in_y * grid.in.width + in_x) * kGroup) : -1;
        if (++x == grid.width) x = 0, ++y;
      }
    }
  }

  void pack_inputs(int64_t group) {
    const int32_t* place = places_;
    float* to = inputs_;
    for (int64_t piece = 0; piece < count_; ++piece) {
      const Bfloat16* from = job_.x + (image(piece) * cut_.in_groups + group) * cut_.grid.in.spatial() * kGroup;
      const auto pixel = [&](int32_t at) { return at < 0 ? zeros_ : from + at; };
      for (int64_t r = 0; r < rows(piece); r += 2, place += 2, to += kGroup) store_pair(to, pixel(place[0]), pixel(place[1]));
    }
    pairs_ = (to - inputs_) / kGroup;
  }

  void multiply(int64_t unit, bool add) {
    const int64_t group = cut_.chunk_pairs() * kGroup;
    for (int64_t out = 0; out < cut_.out_groups; out += 2) {
      float* sums = sums_ + unit * cut_.unit_sums() + out * kGroup;
      const float* dy = outputs_ + out * group;
      out + 1 < cut_.out_groups ? multiply_pairs<2>(inputs_, dy, group, pairs_, sums, cut_.sums_row(), add)
                                : multiply_pairs<1>(inputs_, dy, group, pairs_, sums, cut_.sums_row(), add);
    }
  }

  const TapWeightGradient<Bfloat16>& job_;
  const PairCut& cut_;
  int64_t row_part_;
  int64_t first_unit_, end_unit_;
  float* sums_;      // (unit, 16, sums_row)
  float* outputs_;   // (group, pair, 16)
  float* inputs_;    // (pair, 16)
  int32_t* places_;  // (pair, 2)
  Bfloat16* zeros_;
  int64_t first_ = 0, count_ = 0;  // pieces of the chunk
  int64_t pairs_ = 0;
};

/// Adds up the row parts' sums of a unit and a group of outputs into (out, in, tap).
inline void join_pair_square(const TapWeightGradient<Bfloat16>& job, const PairCut& cut, int64_t unit, int64_t out_group) {
  Vector square[kLanes] = {};
  for (int64_t part = 0; part < cut.row_parts; ++part) {
    const float* from = job.scratch + part * cut.part_sums() + unit * cut.unit_sums() + out_group * kGroup;
    for (int64_t i = 0; i < kLanes; ++i) square[i] += load_vector(from + i * cut.sums_row());
  }
  transpose(square);
  const int64_t first = unit % cut.in_groups * kGroup, tap = unit / cut.in_groups;
  const int64_t lanes = std::min(kGroup, cut.grid.in.channels - first);
  for (int64_t i = 0; i < std::min(kGroup, cut.grid.out.channels - out_group * kGroup); ++i) {
    float* to = job.gradient + ((out_group * kGroup + i) * cut.grid.in.channels + first) * cut.taps + tap;
    for (int64_t lane = 0; lane < lanes; ++lane)
      to[lane * cut.taps] = job.accumulate ? to[lane * cut.taps] + square[i][lane] : square[i][lane];
  }
}

inline int64_t pair_gradient_scratch(const TapGrid& grid, std::span<const Tap> taps, int64_t threads) {
  const PairCut cut(grid, static_cast<int64_t>(taps.size()), threads);
  return cut.row_parts * cut.part_sums() + threads * round_up(cut.thread_values(), kGroup);
}

inline void pair_gradient(const TapWeightGradient<Bfloat16>& job) {
  const PairCut cut(job.grid, static_cast<int64_t>(job.taps.size()), job.threads);
#pragma omp parallel num_threads(static_cast<int>(job.threads))
  {
    float* scratch = job.scratch + cut.row_parts * cut.part_sums() + omp_get_thread_num() * round_up(cut.thread_values(), kGroup);
#pragma omp for schedule(static)
    for (int64_t part = 0; part < cut.row_parts * cut.unit_parts; ++part) PairPart(job, cut, part, scratch).compute();
#pragma omp for collapse(2) schedule(static)
    for (int64_t out = 0; out < cut.out_groups; ++out) {
      for (int64_t unit = 0; unit < cut.units(); ++unit) join_pair_square(job, cut, unit, out);
    }
  }
}

constexpr TapGradientKernels kPairGradient = {.scratch = pair_gradient_scratch, .gradient = pair_gradient};
