// Weight gradients in bfloat16, activations in groups of 16 channels. Included by variant.cpp inside the variant's own namespace.
//
//   dW(in, out, tap) = sum over rows of x(row's pixel under the tap, in) * dy(row, out)
//
// An instruction multiplies pairs (VDPBF16PS): of two rows, the values of a channel lie side by side then, which a group of 16
// channels comes to by one permutation of two pixels. A panel of dy is packed so into the second-level cache and, a chunk of the
// panel's rows at a time, a group of x into the first; 8 x 32 sums stay in registers.

/// Pairs of rows of a chunk: with them a group of x fills half of the first-level cache.
constexpr int64_t kChunkPairs = 256;
/// Bytes of dy that a panel packs.
constexpr int64_t kPanelBytes = 512 * 1024;
/// Groups of outputs that are worth packing a group of x for.
constexpr int64_t kLeastGroups = 16;
/// Bytes that the sums of all row parts may take, if there is more than one.
constexpr int64_t kPairSums = 2 * 1024 * 1024;
constexpr int64_t kGroup = 16;  // channels
constexpr int64_t kPairBytes = kGroup * static_cast<int64_t>(sizeof(float));

/// How a weight gradient is cut. Pieces are images or rows of them; chunks are pieces, panels are chunks of some groups of
/// outputs. Row parts are summed by themselves and depend on the layout alone, so the same sums come about in the same order
/// whatever the number of threads.
struct PairCut {
  PairCut(const TapGrid& tap_grid, int64_t tap_count, int64_t threads)
      : grid(tap_grid), taps(tap_count), in_groups(grid.in.blocks()), out_groups(grid.out.blocks()) {
    const int64_t rows = grid.height * grid.width;
    pieces_an_image = (rows + 2 * kChunkPairs - 1) / (2 * kChunkPairs);
    piece_rows = round_up((rows + pieces_an_image - 1) / pieces_an_image, 2);
    pieces_an_image = (rows + piece_rows - 1) / piece_rows;
    pieces = pieces_an_image * grid.out.images;

    const int64_t sums_bytes = in_groups * taps * kGroup * out_groups * kPairBytes;
    row_parts = std::clamp<int64_t>(kPairSums / sums_bytes, 1, 16);
    // Most machines have such numbers of threads, which share the parts evenly then.
    row_parts = static_cast<int64_t>(std::bit_floor(static_cast<uint64_t>(std::min(row_parts, pieces))));
    // Chunks of a part are as even as they can be.
    const int64_t part_pieces = (pieces + row_parts - 1) / row_parts;
    const int64_t fitting = std::max<int64_t>(1, 2 * kChunkPairs / piece_rows);
    const int64_t chunks = (part_pieces + fitting - 1) / fitting;
    chunk_pieces = (part_pieces + chunks - 1) / chunks;

    direct = row_parts == 1 && chunks * chunk_pairs() * kLeastGroups * kPairBytes <= kPanelBytes;
    panel_chunks = direct ? chunks : 1;
    const int64_t most = kPanelBytes / (panel_pairs() * kPairBytes);
    blocks = (out_groups + most - 1) / most;
    block_groups = std::min(out_groups, round_up((out_groups + blocks - 1) / blocks, 2));
    blocks = (out_groups + block_groups - 1) / block_groups;
    unit_parts = std::min((threads + row_parts - 1) / row_parts, units());
  }

  int64_t chunk_pairs() const { return chunk_pieces * piece_rows / 2; }
  int64_t panel_pairs() const { return panel_chunks * chunk_pairs(); }
  /// What threads share: a group of the input's channels, and a tap where they need not have all of them.
  int64_t unit_taps() const { return direct ? taps : 1; }
  int64_t units() const { return blocks * in_groups * taps / unit_taps(); }
  // Values of float32. Rows of sums do not lie powers of two apart.
  int64_t sums_row() const { return (block_groups | 1) * kGroup; }
  int64_t tap_sums() const { return kGroup * sums_row(); }
  int64_t group_sums() const { return taps * tap_sums(); }
  int64_t part_sums() const { return direct ? 0 : blocks * in_groups * group_sums(); }
  /// Of a thread: a pair is one value.
  int64_t thread_values() const {
    return round_up(block_groups * panel_pairs() * kGroup + chunk_pairs() * kGroup + (direct ? group_sums() : 0) + kGroup +
                        2 * (panel_pairs() + 3 * chunk_pairs()),
                    kGroup);
  }

  TapGrid grid;
  int64_t taps, in_groups, out_groups;
  int64_t pieces_an_image, piece_rows, pieces;
  int64_t chunk_pieces, panel_chunks;
  int64_t block_groups, blocks;   // groups of outputs of a panel
  int64_t row_parts, unit_parts;  // of the work
  bool direct;                    // a panel has all rows, so that its sums are the gradient
};

/// What is read some time later: a value of each of some lines of the cache.
struct PairsAhead {
  const Bfloat16* from = nullptr;
  const int32_t* places = nullptr;  // relative to it, two for each pair
};

/// sums(8, columns) = x^T dy (+ what is there) over pairs.
struct PairProduct {
  const float* x;   // (pairs, 16)
  const float* dy;  // (group, pairs, 16)
  int64_t dy_group;
  int64_t pairs;
  float* sums;
  int64_t sums_row;
  bool add;
  const float* next_sums;
  PairsAhead ahead;
};

constexpr int64_t kPairRows = 8;

template <int kVectors, bool kAhead>
void multiply_pairs(const PairProduct& p) {
  Vector products[kPairRows][kVectors];
  for (int r = 0; r < kPairRows; ++r) {
    for (int v = 0; v < kVectors; ++v) products[r][v] = p.add ? load_vector(p.sums + r * p.sums_row + v * kGroup) : Vector{};
  }
  for (int r = 0; r < kPairRows; ++r) {
    for (int v = 0; v < kVectors; ++v) __builtin_prefetch(p.next_sums + r * p.sums_row + v * kGroup, 1);
  }
  for (int64_t i = 0; i < p.pairs; ++i) {
    if constexpr (kAhead) __builtin_prefetch(p.ahead.from + p.ahead.places[2 * i], 0, 2);
    __m512bh columns[kVectors];
#pragma GCC unroll 2
    for (int v = 0; v < kVectors; ++v) columns[v] = reinterpret_cast<__m512bh>(load_vector(p.dy + v * p.dy_group + i * kGroup));
#pragma GCC unroll 8
    for (int r = 0; r < kPairRows; ++r) {
      const auto row = reinterpret_cast<__m512bh>(broadcast(p.x[i * kGroup + r]));
#pragma GCC unroll 2
      for (int v = 0; v < kVectors; ++v)
        products[r][v] = reinterpret_cast<Vector>(_mm512_dpbf16_ps(reinterpret_cast<__m512>(products[r][v]), row, columns[v]));
    }
  }
  for (int r = 0; r < kPairRows; ++r) {
    for (int v = 0; v < kVectors; ++v) store_vector(p.sums + r * p.sums_row + v * kGroup, products[r][v]);
  }
}

/// Of one or two groups of outputs.
inline void multiply_pairs(const PairProduct& p, int64_t groups) {
  if (p.ahead.from) return groups > 1 ? multiply_pairs<2, true>(p) : multiply_pairs<1, true>(p);
  groups > 1 ? multiply_pairs<2, false>(p) : multiply_pairs<1, false>(p);
}

/// A thread's part of a weight gradient: some rows, some units.
class PairPart {
 public:
  /// `scratch`: thread_values.
  PairPart(const TapWeightGradient<Bfloat16>& job, const PairCut& cut, int64_t part, float* scratch)
      : job_(job),
        cut_(cut),
        first_piece_(cut.pieces * (part / cut.unit_parts) / cut.row_parts),
        end_piece_(cut.pieces * (part / cut.unit_parts + 1) / cut.row_parts),
        first_unit_(cut.units() * (part % cut.unit_parts) / cut.unit_parts * cut.unit_taps()),
        end_unit_(cut.units() * (part % cut.unit_parts + 1) / cut.unit_parts * cut.unit_taps()),
        outputs_(scratch),
        inputs_(outputs_ + cut.block_groups * cut.panel_pairs() * kGroup),
        sums_(cut.direct ? inputs_ + cut.chunk_pairs() * kGroup : job.scratch + part / cut.unit_parts * cut.part_sums()) {
    float* rest = inputs_ + cut.chunk_pairs() * kGroup + (cut.direct ? cut.group_sums() : 0);
    zeros_ = reinterpret_cast<Bfloat16*>(rest);
    std::fill_n(zeros_, 2 * kGroup, Bfloat16{});
    // What is asked for ahead may be less than a chunk: the rest of the chunk's places are those of an earlier one, or 0.
    output_places_ = reinterpret_cast<int32_t*>(rest + kGroup);
    next_input_places_ = output_places_ + 2 * (cut.panel_pairs() + cut.chunk_pairs());
    input_places_ = next_input_places_ + 2 * cut.chunk_pairs();
    std::fill(output_places_, input_places_, 0);
  }

  void compute() {
    if (first_unit_ == end_unit_) return;
    Panel next = panel(first_unit_, first_piece_);
    find_output_places(next);
    while (next.pieces > 0) {
      const Panel present = next;
      pack_outputs(present);
      next = after(present);
      look_ahead(next);
      multiply(present);
    }
  }

 private:
  /// Some groups of outputs, some rows of the grid, and the units that are multiplied with them.
  struct Panel {
    int64_t first_group, groups;
    int64_t first_piece, pieces;
    int64_t first_unit, end_unit;
  };

  Panel panel(int64_t unit, int64_t piece) const {
    const int64_t block_units = cut_.in_groups * cut_.taps, block = unit / block_units, group = block * cut_.block_groups;
    return {group, std::min(cut_.block_groups, cut_.out_groups - group),
            piece, std::min(cut_.panel_chunks * cut_.chunk_pieces, end_piece_ - piece),
            unit,  std::min((block + 1) * block_units, end_unit_)};
  }
  /// Without pieces after the last.
  Panel after(const Panel& present) const {
    if (present.first_piece + present.pieces < end_piece_) return panel(present.first_unit, present.first_piece + present.pieces);
    return present.end_unit < end_unit_ ? panel(present.end_unit, first_piece_) : Panel{};
  }
  /// Of a block of outputs.
  int64_t in_group(int64_t unit) const { return unit / cut_.taps % cut_.in_groups; }
  const Tap& tap(int64_t unit) const { return job_.taps[static_cast<size_t>(unit % cut_.taps)]; }

  int64_t image(int64_t piece) const { return piece / cut_.pieces_an_image; }
  const Bfloat16* inputs(int64_t piece, int64_t group) const {
    return job_.x + (image(piece) * cut_.in_groups + group) * cut_.grid.in.spatial() * kGroup;
  }
  const Bfloat16* outputs(int64_t piece, int64_t group) const {
    return job_.dy + (image(piece) * cut_.out_groups + group) * cut_.grid.out.spatial() * kGroup;
  }

  /// Where what the rows of some pieces read lies, relative to its group in the first piece's image; -1 outside. Returns the
  /// pairs.
  int64_t find_places(int64_t first_piece, int64_t pieces, const Layout& layout, int64_t step_y, int64_t step_x, const Tap& tap,
                      int32_t* places) const {
    const TapGrid& grid = cut_.grid;
    const int64_t image_values = layout.blocks() * layout.spatial() * kGroup;
    const int64_t begin = std::clamp<int64_t>((step_x - 1 - tap.x) / step_x, 0, grid.width);
    const int64_t end = std::clamp<int64_t>((layout.width - tap.x + step_x - 1) / step_x, begin, grid.width);
    int32_t* to = places;
    for (int64_t piece = first_piece; piece < first_piece + pieces; ++piece) {
      const int64_t row = piece % cut_.pieces_an_image * cut_.piece_rows;
      const int64_t rows = std::min(cut_.piece_rows, grid.height * grid.width - row);
      const int64_t image_place = (image(piece) - image(first_piece)) * image_values;
      for (int64_t r = 0, x = row % grid.width, y = row / grid.width, count; r < rows; r += count, x = 0, ++y) {
        count = std::min(grid.width - x, rows - r);
        const int64_t at_y = y * step_y + tap.y;
        const bool inside = at_y >= 0 && at_y < layout.height;
        const int64_t place = image_place + (at_y * layout.width + tap.x) * kGroup;
        for (int64_t i = x; i < x + count; ++i)
          *to++ = inside && i >= begin && i < end ? static_cast<int32_t>(place + i * step_x * kGroup) : -1;
      }
      if (rows % 2 == 1) *to++ = -1;
    }
    return (to - places) / 2;
  }
  int64_t find_input_places(int64_t piece, int64_t pieces, const Tap& tap, int32_t* to) const {
    return find_places(piece, pieces, cut_.grid.in, cut_.grid.in_step_y, cut_.grid.in_step_x, tap, to);
  }
  void find_output_places(const Panel& panel) {
    next_pairs_ = find_places(panel.first_piece, panel.pieces, cut_.grid.out, 1, 1, {0, 0}, output_places_);
  }

  void pack(const Bfloat16* from, const int32_t* places, int64_t pairs, float* to) const {
    for (int64_t p = 0; p < pairs; ++p, places += 2, to += kGroup) {
      if (places[0] >= 0 && places[1] == places[0] + kGroup) {
        *reinterpret_cast<Words*>(to) = pair_words(from + places[0]);
      } else {
        const Bfloat16* first = places[0] < 0 ? zeros_ : from + places[0];
        const Bfloat16* second = places[1] < 0 ? zeros_ : from + places[1];
        *reinterpret_cast<Words*>(to) = pair_words(first, second, first_lanes(kGroup));
      }
    }
  }

  void pack_outputs(const Panel& panel) {
    for (int64_t group = 0; group < panel.groups; ++group)
      pack(outputs(panel.first_piece, panel.first_group + group), output_places_, next_pairs_, outputs_ + group * output_group());
  }
  int64_t output_group() const { return cut_.panel_pairs() * kGroup; }

  /// Memory is slower than these products: while a panel is multiplied, what the next one reads first comes to the second-level
  /// cache.
  void look_ahead(const Panel& next) {
    ahead_ = next, ahead_group_ = ahead_pair_ = 0;
    if (next.pieces == 0) return;
    find_output_places(next);
    if (!cut_.direct)
      find_input_places(next.first_piece, std::min(next.pieces, cut_.chunk_pieces), tap(next.first_unit), next_input_places_);
  }

  /// What lies ahead, group after group: first the outputs, then the inputs, where pixels with strides lie in two lines.
  PairsAhead next_lines(int64_t pairs) {
    if (ahead_group_ < ahead_.groups) {
      const PairsAhead lines{outputs(ahead_.first_piece, ahead_.first_group + ahead_group_), output_places_ + 2 * ahead_pair_};
      ahead_pair_ += pairs;
      if (ahead_pair_ >= next_pairs_) ahead_pair_ = 0, ++ahead_group_;
      return lines;
    }
    const int64_t lines = cut_.grid.in_step_x > 1 ? 2 : 1, line = ahead_group_++ - ahead_.groups;
    if (cut_.direct || ahead_.groups == 0 || line >= cut_.in_groups * lines) return {};
    return {inputs(ahead_.first_piece, line / lines), next_input_places_ + line % lines};
  }

  void multiply(const Panel& panel) {
    for (int64_t begin = panel.first_unit, end; begin < panel.end_unit; begin = end) {
      end = std::min((begin / cut_.taps + 1) * cut_.taps, panel.end_unit);
      int64_t first_pair = 0;
      for (int64_t chunk = 0; chunk < panel.pieces; chunk += cut_.chunk_pieces) {
        const int64_t piece = panel.first_piece + chunk, pieces = std::min(cut_.chunk_pieces, panel.pieces - chunk);
        int64_t pairs = 0;
        for (int64_t unit = begin; unit < end; ++unit) {
          pairs = find_input_places(piece, pieces, tap(unit), input_places_);
          pack(inputs(piece, in_group(unit)), input_places_, pairs, inputs_);
          multiply(panel, unit, first_pair, pairs, piece > first_piece_);
        }
        first_pair += pairs;
      }
      if (cut_.direct) store(panel, in_group(begin));
    }
  }

  float* unit_sums(int64_t unit) const { return sums_ + (cut_.direct ? unit % cut_.taps : unit) * cut_.tap_sums(); }

  void multiply(const Panel& panel, int64_t unit, int64_t first_pair, int64_t pairs, bool add) {
    const int64_t half = kPairRows * cut_.sums_row();
    PairProduct product{.x = inputs_,
                        .dy = outputs_ + first_pair * kGroup,
                        .dy_group = output_group(),
                        .pairs = pairs,
                        .sums = unit_sums(unit),
                        .sums_row = cut_.sums_row(),
                        .add = add,
                        .next_sums = nullptr,
                        .ahead = {}};
    for (int64_t group = 0; group < panel.groups; group += 2, product.dy += 2 * output_group(), product.sums += 2 * kGroup) {
      product.next_sums = product.sums + half, product.ahead = next_lines(pairs);
      multiply_pairs(product, panel.groups - group);
      product.next_sums = product.sums + 2 * kGroup, product.ahead = next_lines(pairs);
      product.x += kPairRows, product.sums += half;
      multiply_pairs(product, panel.groups - group);
      product.x -= kPairRows, product.sums -= half;
    }
  }

  /// The sums of a group of inputs, all taps.
  void store(const Panel& panel, int64_t in_group) const {
    const int64_t first = in_group * kGroup * cut_.taps;
    for (int64_t group = 0; group < panel.groups; ++group) {
      for (int64_t n = 0; n < kGroup * cut_.taps; n += kGroup)
        join_gradient_square(job_, (panel.first_group + group) * kGroup, first + n, 1, 0, [&](int64_t value) {
          const int64_t channel = (value - first) / cut_.taps;
          return sums_ + value % cut_.taps * cut_.tap_sums() + channel * cut_.sums_row() + group * kGroup;
        });
    }
  }

  const TapWeightGradient<Bfloat16>& job_;
  const PairCut& cut_;
  int64_t first_piece_, end_piece_;
  int64_t first_unit_, end_unit_;  // (block, group, tap)
  float* outputs_;                 // (group, pair, 16) of a panel
  float* inputs_;                  // (pair, 16) of a chunk
  float* sums_;                    // (unit, 16, sums_row), direct: (tap, 16, sums_row)
  Bfloat16* zeros_;
  int32_t* output_places_;  // (pair, 2) of the present panel until it is packed, then of the next one
  int64_t next_pairs_ = 0;
  int32_t* next_input_places_;  // (pair, 2)
  int32_t* input_places_;       // (pair, 2)
  Panel ahead_{};
  int64_t ahead_group_ = 0, ahead_pair_ = 0;
};

/// Adds up the row parts of 16 values of (in, tap) and a group of outputs.
inline void join_pair_square(const TapWeightGradient<Bfloat16>& job, const PairCut& cut, int64_t first, int64_t out_group) {
  const float* sums = job.scratch + out_group / cut.block_groups * cut.in_groups * cut.group_sums();
  join_gradient_square(job, out_group * kGroup, first, cut.row_parts, cut.part_sums(), [&](int64_t value) {
    const int64_t channel = value / cut.taps, tap = value % cut.taps;
    return sums + (channel / kGroup * cut.taps + tap) * cut.tap_sums() + channel % kGroup * cut.sums_row() +
           out_group % cut.block_groups * kGroup;
  });
}

inline int64_t pair_gradient_scratch(const TapGrid& grid, std::span<const Tap> taps, int64_t threads) {
  const PairCut cut(grid, static_cast<int64_t>(taps.size()), threads);
  return cut.row_parts * cut.part_sums() + threads * cut.thread_values();
}

inline void pair_gradient(const TapWeightGradient<Bfloat16>& job) {
  const PairCut cut(job.grid, static_cast<int64_t>(job.taps.size()), job.threads);
#pragma omp parallel num_threads(static_cast<int>(job.threads))
  {
    float* scratch = job.scratch + cut.row_parts * cut.part_sums() + omp_get_thread_num() * cut.thread_values();
#pragma omp for schedule(static)
    for (int64_t part = 0; part < cut.row_parts * cut.unit_parts; ++part) PairPart(job, cut, part, scratch).compute();
    if (!cut.direct) {
#pragma omp for collapse(2) schedule(static)
      for (int64_t out = 0; out < cut.out_groups; ++out) {
        for (int64_t first = 0; first < cut.grid.in.channels * cut.taps; first += kGroup) join_pair_square(job, cut, first, out);
      }
    }
  }
}

constexpr TapGradientKernels kPairGradient = {.scratch = pair_gradient_scratch, .gradient = pair_gradient};
