// Weight gradients in bfloat16 as products of tiles. Included by variant.cpp inside the variant's own namespace.
//
//   dW(out, in, tap) = sum over rows of dy(row, out) * x(in, row under the tap)
//
// The depth are rows of outputs, so dy is turned: a line of values for each of its channels. x lies in pairs of rows, in which a
// tap is a shift: by whole pairs, so that no tile's lines ever lie across two lines of the cache, because there are two sets of
// pairs, from the first row on and from the second. Rows over the edge of a line (planes.inl) have zeros for dy.

/// Bytes of the narrower of x and dy that are multiplied at a time; they stay in the second-level cache.
constexpr int64_t kTileGradientBytes = 1024 * 1024;
/// Bytes that the sums of all row parts may take, if there is more than one.
constexpr int64_t kTileGradientSums = 4 * 1024 * 1024;

/// How a weight gradient is cut: row parts are summed by themselves and depend on the layout alone, so the same sums come about
/// in the same order whatever the number of threads.
struct TileGradientCut {
  TileGradientCut(const TapGrid& tap_grid, std::span<const Tap> job_taps, int64_t threads)
      : planes(tap_grid, job_taps), grid(tap_grid), taps(job_taps) {
    // Where the input has few channels, the values under a run of taps are taken for channels.
    joins_runs = grid.in.channels < kTileSide && taps.size() > 1;
    int64_t run_taps = 1;
    if (joins_runs) for_each_run(taps, 1, [&](size_t, int64_t count, int64_t) { run_taps = std::max(run_taps, count); });
    depth = grid.in.channels * run_taps;
    pixel_phases = joins_runs ? 1 : std::min(planes.row_pixels, planes.high.x - planes.low.x + 1);
    for_each_shift([&](int64_t, const Tap& tap) {
      ++shifts;
      if (row_shift(tap) % 2 == 1) parities = 2;
    });
    in_tiles = (depth + kTileSide - 1) / kTileSide;
    out_tiles = (grid.out.channels + kTileSide - 1) / kTileSide;

    const int64_t all_sums = shifts * in_tiles * out_tiles * kTileSide * kTileSide * static_cast<int64_t>(sizeof(float));
    row_parts = std::clamp<int64_t>(kTileGradientSums / all_sums, 1, 16);
    const int64_t row_bytes = std::min(in_tiles, out_tiles) * kTileSide * static_cast<int64_t>(sizeof(Bfloat16));
    // Large sums are better stored once than kept within the cache's reach.
    const int64_t least = all_sums > kTileGradientSums ? 1024 : 256;
    const int64_t wanted = std::clamp<int64_t>(kTileGradientBytes / row_bytes, least, 1024);
    if (planes.in_place) {
      const int64_t blocks_wanted = round_up((grid.rows() + wanted - 1) / wanted, row_parts);
      slab_rows = round_up((grid.rows() + blocks_wanted - 1) / blocks_wanted, kTileDepth);
      slabs_in_all = (grid.rows() + slab_rows - 1) / slab_rows;
    } else {
      const int64_t lines_wanted =
          std::clamp<int64_t>(wanted / planes.columns, planes.more_lines + 1, std::max(grid.height, planes.more_lines + 1));
      slabs_an_image = (grid.height + lines_wanted - 1) / lines_wanted;
      lines = (grid.height + slabs_an_image - 1) / slabs_an_image;
      slabs_an_image = (grid.height + lines - 1) / lines;
      slab_rows = planes.rows(lines);
      slabs_in_all = slabs_an_image * grid.out.images;
      slabs = std::clamp<int64_t>(wanted / slab_rows, 1, (slabs_in_all + row_parts - 1) / row_parts);
    }
    row_parts = std::min(row_parts, slabs_in_all);
    at_once = row_parts == 1 && slabs_in_all <= slabs;
    // Pairs of tiles; the values of joined runs lie across each other.
    column_parts = joins_runs ? 1 : std::min((threads + row_parts - 1) / row_parts, (in_tiles + 1) / 2);
    part_tiles = round_up((in_tiles + column_parts - 1) / column_parts, 2);
    column_parts = (in_tiles + part_tiles - 1) / part_tiles;
  }

  /// Calls f(shift, its first tap).
  template <class F>
  void for_each_shift(const F& f) const {
    int64_t shift = 0;
    if (joins_runs) {
      for_each_run(taps, grid.in.channels, [&](size_t first, int64_t, int64_t) { f(shift++, taps[first]); });
    } else {
      for (const Tap& tap : taps) f(shift++, tap);
    }
  }

  /// The plane that a tap reads, and by how many rows it is shifted in it.
  int64_t plane(const Tap& tap) const { return planes.phase(tap) * pixel_phases + (joins_runs ? 0 : pixel(tap) % planes.row_pixels); }
  int64_t row_shift(const Tap& tap) const {
    return planes.in_place ? 0 : planes.line(tap) * planes.columns + (joins_runs ? 0 : pixel(tap) / planes.row_pixels);
  }

  int64_t steps() const { return (slab_rows + kTileDepth - 1) / kTileDepth; }
  /// A channel's line of dy. Lines do not lie powers of two apart.
  int64_t output_row() const { return (steps() | 1) * kTileDepth; }
  /// Outputs for which x has values, in one plane.
  int64_t input_rows() const { return planes.in_place ? slab_rows : (lines + planes.more_lines) * planes.columns; }
  /// Pairs of a plane: shifted rows may reach over its end.
  int64_t pairs() const { return (planes.in_place ? steps() : (input_rows() + 2 * kTileDepth) / kTileDepth) * kTileSide; }

  // Values of bfloat16 of a thread.
  int64_t input_tile() const { return pairs() * kTileDepth; }
  int64_t input_pairs() const { return part_tiles * input_tile(); }
  int64_t input_plane() const { return parities * input_pairs(); }
  int64_t input_slab() const { return planes.phases * pixel_phases * input_plane(); }
  int64_t output_slab() const { return out_tiles * kTileSide * output_row(); }
  int64_t zeros() const { return round_up(std::max(depth, grid.out.channels), kTileDepth); }
  int64_t copy() const {
    return planes.in_place ? 0 : round_up(planes.values(lines, std::min(part_tiles * kTileSide, grid.in.channels)), kTileDepth);
  }
  int64_t thread_values() const { return round_up(slabs * (input_slab() + output_slab()) + zeros() + copy(), kTileDepth); }
  // Of float32: sums are (shift, out, in), those of a pair of tiles each way where they are complete at once.
  /// Rows of sums do not lie powers of two apart.
  int64_t sums_row() const { return at_once ? kPairSide : (part_tiles | 1) * kTileSide; }
  int64_t shift_sums() const { return (at_once ? kPairSide : out_tiles * kTileSide) * sums_row(); }
  int64_t part_sums() const { return shifts * shift_sums(); }
  int64_t parts() const { return row_parts * column_parts; }
  int64_t thread_bytes() const { return thread_values() * static_cast<int64_t>(sizeof(Bfloat16)) + pieces_bytes(); }
  int64_t pieces_bytes() const { return round_up(slabs * static_cast<int64_t>(sizeof(DepthPiece)), kLineBytes); }

  TilePlanes planes;
  TapGrid grid;
  std::span<const Tap> taps;
  bool joins_runs;
  int64_t shifts = 0;  // taps, or runs where they are joined
  int64_t depth;       // channels, or values of a run
  int64_t pixel_phases;
  int64_t parities = 1;  // sets of pairs
  int64_t in_tiles, out_tiles;
  int64_t row_parts, column_parts;  // of the work: rows, and channels of the input
  int64_t part_tiles;               // of a part of the channels
  int64_t slabs_an_image = 1;
  int64_t lines = 0;  // of a slab
  int64_t slab_rows;
  int64_t slabs = 1;  // multiplied at a time
  int64_t slabs_in_all;
  bool at_once;  // nothing is ever added to sums

 private:
  int64_t pixel(const Tap& tap) const { return tap.x - planes.low.x; }
};

/// Stores the gradient of an output's weights, or adds to it: of kTileSide values of the depth from `first` on. sums(shift) is
/// where they lie, of the first of some parts.
template <class Sums>
void store_tile_gradient(const TapWeightGradient<Bfloat16>& job, const TileGradientCut& cut, int64_t out, int64_t first,
                         int64_t parts, int64_t part_values, const Sums& sums) {
  const int64_t channels = cut.grid.in.channels, window = static_cast<int64_t>(cut.taps.size());
  const int64_t count = std::min(kTileSide, cut.depth - first);
  float* gradient = job.gradient + out * channels * window;
  cut.for_each_shift([&](int64_t shift, const Tap& tap) {
    const float* from = sums(shift);
    Vector values = load_vector(from);
    for (int64_t part = 1; part < parts; ++part) values += load_vector(from + part * part_values);
    float* to = gradient + first * window + shift;
    if (cut.joins_runs) {
      // In a run, channels lie inside of taps.
      const int64_t first_tap = &tap - cut.taps.data();
      for (int64_t i = 0; i < count; ++i) {
        float& value = gradient[(first + i) % channels * window + first_tap + (first + i) / channels];
        value = job.accumulate ? value + values[i] : values[i];
      }
      return;
    }
    if (window == 1 && count == kTileSide) {
      if (job.accumulate) return store_vector(to, load_vector(to) + values);
      return is_line(to) ? write_line_past_caches(to, values) : store_vector(to, values);
    }
    for (int64_t i = 0; i < count; ++i, to += window) *to = job.accumulate ? *to + values[i] : values[i];
  });
}

/// A thread's part of a weight gradient: some rows, some channels of the input.
class TileGradientPart {
 public:
  /// `sums`: part_sums; `scratch`: thread_bytes.
  TileGradientPart(const TapWeightGradient<Bfloat16>& job, const TileGradientCut& cut, int64_t part, float* sums,
                   std::byte* scratch)
      : job_(job),
        cut_(cut),
        row_part_(part / cut.column_parts),
        first_tile_(part % cut.column_parts * cut.part_tiles),
        tiles_(std::min(cut.part_tiles, cut.in_tiles - first_tile_)),
        channels_(std::min(tiles_ * kTileSide, cut.depth - first_tile_ * kTileSide)),
        sums_(sums),
        pieces_(reinterpret_cast<DepthPiece*>(scratch)),
        outputs_(reinterpret_cast<Bfloat16*>(scratch + cut.pieces_bytes())),
        inputs_(outputs_ + cut.slabs * cut.output_slab()),
        zeros_(inputs_ + cut.slabs * cut.input_slab()),
        copy_(zeros_ + cut.zeros()) {
    std::fill_n(zeros_, cut.zeros(), Bfloat16{});
  }

  void compute() {
    const auto first_slab = [&](int64_t part) { return cut_.slabs_in_all * part / cut_.row_parts; };
    const int64_t begin = first_slab(row_part_), end = first_slab(row_part_ + 1);
    for (int64_t slab = begin; slab < end; slab += cut_.slabs) {
      const int64_t count = std::min(cut_.slabs, end - slab);
      for (int64_t s = 0; s < count; ++s) prepare(slab + s, s);
      multiply(count, slab > begin);
    }
  }

 private:
  void prepare(int64_t slab, int64_t s) const {
    const TilePlanes& planes = cut_.planes;
    Bfloat16* inputs = inputs_ + s * cut_.input_slab();
    if (planes.in_place) {
      const int64_t first = slab * cut_.slab_rows, rows = std::min(cut_.slab_rows, cut_.grid.rows() - first);
      pair_inputs(job_.x + first * cut_.grid.in.channels + first_tile_ * kTileSide, cut_.grid.in.channels, rows, inputs);
      turn_outputs(first, rows, s);
      return;
    }
    const int64_t image = slab / cut_.slabs_an_image, line = slab % cut_.slabs_an_image * cut_.lines;
    const int64_t copied = cut_.joins_runs ? cut_.grid.in.channels : channels_;
    copy_planes(planes, job_.x, image, line, cut_.lines, first_tile_ * kTileSide, copied, copy_);
    for (int64_t phase = 0; phase < planes.phases; ++phase) {
      for (int64_t pixel = 0; pixel < cut_.pixel_phases; ++pixel, inputs += cut_.input_plane()) {
        pair_inputs(copy_ + (phase * planes.plane_pixels(cut_.lines) + pixel) * copied, planes.row_pixels * copied,
                    cut_.input_rows(), inputs);
      }
    }
    turn_outputs((image * cut_.grid.height + line) * cut_.grid.width,
                 std::min(cut_.lines, cut_.grid.height - line) * cut_.grid.width, s);
  }

  /// (rows, channels), `step` values from row to row, to (parity, tile of channels, pair, 16, 2), filled up with zeros.
  void pair_inputs(const Bfloat16* from, int64_t step, int64_t rows, Bfloat16* to) const {
    for (int64_t pair = 0; pair < cut_.pairs(); pair += kTileSide) {
      const Bfloat16* at[kTileDepth + 1];
      for (int64_t i = 0; i <= kTileDepth; ++i) at[i] = 2 * pair + i < rows ? from + (2 * pair + i) * step : zeros_;
      for (int64_t tile = 0; tile < tiles_; ++tile) {
        const int64_t n = tile * kTileSide;
        const __mmask16 lanes = first_lanes(channels_ - n);
        for (int64_t parity = 0; parity < cut_.parities; ++parity) {
          Bfloat16* pairs = to + parity * cut_.input_pairs() + tile * cut_.input_tile() + pair * kTileDepth;
          for (int64_t i = 0; i < kTileSide; ++i) {
            *reinterpret_cast<Words*>(pairs + i * kTileDepth) =
                pair_words(at[2 * i + parity] + n, at[2 * i + parity + 1] + n, lanes);
          }
        }
      }
    }
  }

  /// dy of grid positions as (channel, output_row), zeros where a row lies over the edge of a line.
  void turn_outputs(int64_t position, int64_t count, int64_t s) const {
    const int64_t width = cut_.grid.width, channels = cut_.grid.out.channels;
    const int64_t columns = cut_.planes.in_place ? width : cut_.planes.columns;
    int64_t x = 0;  // in place, lines follow each other
    const Bfloat16* dy = job_.dy + position * channels;
    for (int64_t step = 0; step < cut_.steps(); ++step) {
      const Bfloat16* at[kTileDepth];
      for (int64_t i = 0; i < kTileDepth; ++i) {
        const bool inside = count > 0 && (cut_.planes.in_place || x < width);
        at[i] = inside ? dy : zeros_;
        if (inside) dy += channels, --count;
        if (++x == columns) x = 0;
      }
      Bfloat16* to = outputs_ + s * cut_.output_slab() + step * kTileDepth;
      for (int64_t n = 0; n < cut_.out_tiles * kTileSide; n += kTileSide) {
        // While a square is turned, nothing is read: the next rows are asked for.
        for (int64_t i = n / kTileSide % 2; i < kTileDepth; i += 2) __builtin_prefetch(at[i] + kTileDepth * channels + n);
        const __mmask16 lanes = first_lanes(channels - n);
        Vector square[kLanes];
        for (int64_t i = 0; i < kLanes; ++i)
          square[i] = reinterpret_cast<Vector>(pair_words(at[2 * i] + n, at[2 * i + 1] + n, lanes));
        transpose(square);
        for (int64_t i = 0; i < kLanes; ++i, to += cut_.output_row()) *reinterpret_cast<Vector*>(to) = square[i];
      }
    }
  }

  void multiply(int64_t slabs, bool add) const {
    for (int64_t s = 0; s < slabs; ++s) pieces_[s] = {s * cut_.output_slab(), s * cut_.input_slab(), cut_.steps()};
    // What is narrower is read again and again, the other once. The gradient of 1 x 1 filters is written line by line.
    if (cut_.out_tiles > tiles_ || (cut_.at_once && cut_.taps.size() == 1)) {
      for (int64_t out = 0; out < cut_.out_tiles; out += 2) {
        for (int64_t in = 0; in < tiles_; in += 2) multiply_pair(out, in, slabs, add);
      }
    } else {
      for (int64_t in = 0; in < tiles_; in += 2) {
        for (int64_t out = 0; out < cut_.out_tiles; out += 2) multiply_pair(out, in, slabs, add);
      }
    }
  }

  /// All shifts of a pair of tiles each way.
  void multiply_pair(int64_t out, int64_t in, int64_t slabs, bool add) const {
    float* sums = cut_.at_once ? sums_ : sums_ + (out * cut_.sums_row() + in) * kTileSide;
    TilePair pair{.rows = std::min<int64_t>(2, cut_.out_tiles - out) * kTileSide,
                  .column_tiles = std::min<int64_t>(2, tiles_ - in),
                  .a = outputs_ + out * kTileSide * cut_.output_row(),
                  .a_row = cut_.output_row(),
                  .b = nullptr,
                  .b_tile = cut_.input_tile(),
                  .pieces = {pieces_, static_cast<size_t>(slabs)},
                  .sums = nullptr,
                  .sums_row = cut_.sums_row(),
                  .add = add};
    cut_.for_each_shift([&](int64_t shift, const Tap& tap) {
      const int64_t rows = cut_.row_shift(tap);
      pair.b = inputs_ + cut_.plane(tap) * cut_.input_plane() + rows % 2 * cut_.input_pairs() + in * cut_.input_tile() +
               rows / 2 * kTileDepth;
      pair.sums = sums + shift * cut_.shift_sums();
      multiply_tiles(pair);
    });
    if (!cut_.at_once) return;
    for (int64_t i = 0; i < std::min(pair.rows, cut_.grid.out.channels - out * kTileSide); ++i) {
      for (int64_t tile = 0; tile < pair.column_tiles; ++tile) {
        store_tile_gradient(job_, cut_, out * kTileSide + i, (first_tile_ + in + tile) * kTileSide, 1, 0, [&](int64_t shift) {
          return sums + shift * cut_.shift_sums() + i * cut_.sums_row() + tile * kTileSide;
        });
      }
    }
  }

  const TapWeightGradient<Bfloat16>& job_;
  const TileGradientCut& cut_;
  int64_t row_part_;
  int64_t first_tile_, tiles_;  // of the input's channels
  int64_t channels_;            // of those tiles
  float* sums_;                 // (shift, out, sums_row)
  DepthPiece* pieces_;          // (slab)
  Bfloat16* outputs_;           // (slab, out, output_row)
  Bfloat16* inputs_;            // (slab, plane, parity, tile of channels, pair, 16, 2)
  Bfloat16* zeros_;
  Bfloat16* copy_;
};

inline void join_tile_sums(const TapWeightGradient<Bfloat16>& job, const TileGradientCut& cut) {
  const int64_t part_depth = cut.part_tiles * kTileSide;
#pragma omp for schedule(static)
  for (int64_t out = 0; out < cut.grid.out.channels; ++out) {
    for (int64_t first = 0; first < cut.depth; first += kTileSide) {
      store_tile_gradient(job, cut, out, first, cut.row_parts, cut.column_parts * cut.part_sums(), [&](int64_t shift) {
        return job.scratch + first / part_depth * cut.part_sums() + shift * cut.shift_sums() + out * cut.sums_row() +
               first % part_depth;
      });
    }
  }
}

/// Values of float32.
inline int64_t tile_gradient_scratch(const TapGrid& grid, std::span<const Tap> taps, int64_t threads) {
  const TileGradientCut cut(grid, taps, threads);
  return cut.parts() * cut.part_sums() + threads * cut.thread_bytes() / static_cast<int64_t>(sizeof(float));
}

inline void tile_weight_gradient(const TapWeightGradient<Bfloat16>& job) {
  const TileGradientCut cut(job.grid, job.taps, job.threads);
#pragma omp parallel num_threads(static_cast<int>(job.threads))
  {
    auto* scratch =
        reinterpret_cast<std::byte*>(job.scratch + cut.parts() * cut.part_sums()) + omp_get_thread_num() * cut.thread_bytes();
#pragma omp for schedule(static)
    for (int64_t part = 0; part < cut.parts(); ++part) {
      const TilesInUse tiles;
      TileGradientPart(job, cut, part, job.scratch + part * cut.part_sums(), scratch).compute();
    }
    if (!cut.at_once) join_tile_sums(job, cut);
    finish_lines_past_caches();
  }
}

constexpr TapProductKernels<Bfloat16> kTileTapProduct = {
    .filter_values = tile_filter_values,
    .filters = tile_filters,
    .product_scratch = tile_product_scratch,
    .product = tile_product,
    .weight_gradient_scratch = tile_gradient_scratch,
    .weight_gradient = tile_weight_gradient,
};
