// Weight gradients in bfloat16 as products of tiles. Included by variant.cpp inside the variant's own namespace.
//
//   dW(in, out, tap) = sum over rows of x(in, row under the tap) * dy(row, out)
//
// The depth are rows of outputs, so x is turned: a line of values for each channel, in which a tap is a shift. Rows over the edge
// of a line (planes.inl) have zeros for dy.

/// Bytes of dy that are multiplied at a time.
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
    for_each_shift([&](int64_t, const Tap&) { ++shifts; });
    depth = grid.in.channels * run_taps;
    pixel_phases = joins_runs ? 1 : std::min(planes.row_pixels, planes.high.x - planes.low.x + 1);
    in_tiles = (depth + kTileSide - 1) / kTileSide;
    out_tiles = (grid.out.channels + kTileSide - 1) / kTileSide;

    const int64_t sums_bytes = shifts * in_tiles * kTileSide * sums_row() * static_cast<int64_t>(sizeof(float));
    row_parts = std::clamp<int64_t>(kTileGradientSums / sums_bytes, 1, 16);
    const int64_t row_bytes = out_tiles * kTileSide * static_cast<int64_t>(sizeof(Bfloat16));
    const int64_t wanted = std::clamp<int64_t>(kTileGradientBytes / row_bytes, 256, 1024);
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

  int64_t steps() const { return (slab_rows + kTileDepth - 1) / kTileDepth; }
  /// Outputs for which a channel has values, in one phase.
  int64_t turned_rows() const { return planes.in_place ? slab_rows : (lines + planes.more_lines) * planes.columns; }
  /// Values of a channel's line: shifted rows may reach over the end. Lines do not lie powers of two apart.
  int64_t turned_row() const {
    const int64_t over = planes.in_place ? 0 : kTileDepth;
    return (round_up(turned_rows() + over, kTileDepth) / kTileDepth | 1) * kTileDepth;
  }
  /// Rows of sums do not lie powers of two apart.
  int64_t sums_row() const { return (out_tiles | 1) * kTileSide; }
  int64_t phases() const { return planes.phases * pixel_phases; }

  // Values of bfloat16 of a thread.
  int64_t turned_phase() const { return part_tiles * kTileSide * turned_row(); }
  int64_t turned_slab() const { return phases() * turned_phase(); }
  int64_t output_slab() const { return steps() * kTileValues; }
  int64_t output_tile() const { return slabs * output_slab(); }
  int64_t zeros() const { return round_up(std::max(depth, grid.out.channels), kTileDepth); }
  int64_t copy() const {
    return planes.in_place ? 0 : round_up(planes.values(lines, std::min(part_tiles * kTileSide, grid.in.channels)), kTileDepth);
  }
  int64_t thread_values() const {
    return round_up(slabs * turned_slab() + out_tiles * output_tile() + zeros() + copy(), kTileDepth);
  }
  // Of float32.
  int64_t shift_sums() const { return part_tiles * kTileSide * sums_row(); }
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
  int64_t in_tiles, out_tiles;
  int64_t row_parts, column_parts;  // of the work: rows, and channels of the input
  int64_t part_tiles;               // of a part of the channels
  int64_t slabs_an_image = 1;
  int64_t lines = 0;  // of a slab
  int64_t slab_rows;
  int64_t slabs = 1;  // multiplied at a time
  int64_t slabs_in_all;
};

/// A thread's part of a weight gradient: some rows, some channels of the input.
class TileGradientPart {
 public:
  /// `scratch`: thread_bytes.
  TileGradientPart(const TapWeightGradient<Bfloat16>& job, const TileGradientCut& cut, int64_t part, std::byte* scratch)
      : job_(job),
        cut_(cut),
        row_part_(part / cut.column_parts),
        first_tile_(part % cut.column_parts * cut.part_tiles),
        tiles_(std::min(cut.part_tiles, cut.in_tiles - first_tile_)),
        channels_(std::min(tiles_ * kTileSide, cut.depth - first_tile_ * kTileSide)),
        sums_(job.scratch + part * cut.part_sums()),
        pieces_(reinterpret_cast<DepthPiece*>(scratch)),
        turned_(reinterpret_cast<Bfloat16*>(scratch + cut.pieces_bytes())),
        outputs_(turned_ + cut.slabs * cut.turned_slab()),
        zeros_(outputs_ + cut.out_tiles * cut.output_tile()),
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
  void prepare(int64_t slab, int64_t s) {
    const TilePlanes& planes = cut_.planes;
    Bfloat16* turned = turned_ + s * cut_.turned_slab();
    if (planes.in_place) {
      const int64_t first = slab * cut_.slab_rows, rows = std::min(cut_.slab_rows, cut_.grid.rows() - first);
      turn(job_.x + first * cut_.grid.in.channels + first_tile_ * kTileSide, cut_.grid.in.channels, rows, turned);
      pair_outputs(first, rows, s);
      return;
    }
    const int64_t image = slab / cut_.slabs_an_image, line = slab % cut_.slabs_an_image * cut_.lines;
    const int64_t copied = cut_.joins_runs ? cut_.grid.in.channels : channels_;
    copy_planes(planes, job_.x, image, line, cut_.lines, first_tile_ * kTileSide, copied, copy_);
    for (int64_t phase = 0; phase < planes.phases; ++phase) {
      for (int64_t pixel = 0; pixel < cut_.pixel_phases; ++pixel, turned += cut_.turned_phase()) {
        turn(copy_ + (phase * planes.plane_pixels(cut_.lines) + pixel) * copied, planes.row_pixels * copied, cut_.turned_rows(),
             turned);
      }
    }
    pair_outputs((image * cut_.grid.height + line) * cut_.grid.width,
                 std::min(cut_.lines, cut_.grid.height - line) * cut_.grid.width, s);
  }

  /// (rows, channels), `step` values from row to row, to (channels, turned_row), filled up with zeros.
  void turn(const Bfloat16* from, int64_t step, int64_t rows, Bfloat16* to) const {
    for (int64_t row = 0; row < cut_.turned_row(); row += kTileDepth) {
      const Bfloat16* at[kTileDepth];
      for (int64_t i = 0; i < kTileDepth; ++i) at[i] = row + i < rows ? from + (row + i) * step : zeros_;
      for (int64_t c = 0; c < tiles_ * kTileSide; c += kTileSide) {
        const __mmask16 lanes = first_lanes(channels_ - c);
        Vector square[kLanes];
        for (int64_t i = 0; i < kLanes; ++i)
          square[i] = reinterpret_cast<Vector>(pair_words(at[2 * i] + c, at[2 * i + 1] + c, lanes));
        transpose(square);
        for (int64_t i = 0; i < kLanes; ++i) *reinterpret_cast<Vector*>(to + (c + i) * cut_.turned_row() + row) = square[i];
      }
    }
  }

  /// dy of grid positions as tiles (tile of columns, step), zeros where a row lies over the edge of a line.
  void pair_outputs(int64_t position, int64_t count, int64_t s) const {
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
      for (int64_t tile = 0; tile < cut_.out_tiles; ++tile) {
        const int64_t n = tile * kTileSide;
        const __mmask16 lanes = first_lanes(channels - n);
        Bfloat16* to = outputs_ + tile * cut_.output_tile() + s * cut_.output_slab() + step * kTileValues;
        for (int64_t i = 0; i < kTileSide; ++i)
          *reinterpret_cast<Words*>(to + i * kTileDepth) = pair_words(at[2 * i] + n, at[2 * i + 1] + n, lanes);
      }
    }
  }

  void multiply(int64_t slabs, bool add) const {
    for (int64_t s = 0; s < slabs; ++s) pieces_[s] = {s * cut_.turned_slab(), s * cut_.output_slab(), cut_.steps()};
    TilePair pair{.rows = 0,
                  .column_tiles = 0,
                  .a = nullptr,
                  .a_row = cut_.turned_row(),
                  .b = nullptr,
                  .b_tile = cut_.output_tile(),
                  .pieces = {pieces_, static_cast<size_t>(slabs)},
                  .sums = nullptr,
                  .sums_row = cut_.sums_row(),
                  .add = add};
    for (int64_t in = 0; in < tiles_; in += 2) {
      pair.rows = std::min<int64_t>(2, tiles_ - in) * kTileSide;
      cut_.for_each_shift([&](int64_t shift, const Tap& tap) {
        pair.a = turned_ + offset(tap) + in * kTileSide * cut_.turned_row();
        for (int64_t out = 0; out < cut_.out_tiles; out += 2) {
          pair.column_tiles = std::min<int64_t>(2, cut_.out_tiles - out);
          pair.b = outputs_ + out * cut_.output_tile();
          pair.sums = sums_ + shift * cut_.shift_sums() + in * kTileSide * cut_.sums_row() + out * kTileSide;
          multiply_tiles(pair);
        }
      });
    }
  }

  /// Where a tap's values begin in a slab's turned planes.
  int64_t offset(const Tap& tap) const {
    if (cut_.planes.in_place) return 0;
    const int64_t x = cut_.joins_runs ? 0 : tap.x - cut_.planes.low.x, step = cut_.planes.row_pixels;
    return (cut_.planes.phase(tap) * cut_.pixel_phases + x % step) * cut_.turned_phase() +
           cut_.planes.line(tap) * cut_.planes.columns + x / step;
  }

  const TapWeightGradient<Bfloat16>& job_;
  const TileGradientCut& cut_;
  int64_t row_part_;
  int64_t first_tile_, tiles_;  // of the input's channels
  int64_t channels_;            // of those tiles
  float* sums_;                 // (shift, channel, sums_row)
  DepthPiece* pieces_;          // (slab)
  Bfloat16* turned_;            // (slab, phase, channel, row)
  Bfloat16* outputs_;           // (tile of outputs, slab, step, 16, 16, 2)
  Bfloat16* zeros_;
  Bfloat16* copy_;
};

/// Where the sums of (in, tap) `value` and a tile of outputs lie, of the first row part.
inline const float* tile_sums(const TapWeightGradient<Bfloat16>& job, const TileGradientCut& cut, int64_t value,
                              int64_t out_tile) {
  const int64_t window = static_cast<int64_t>(cut.taps.size());
  int64_t depth = value / window, shift = value % window;
  if (cut.joins_runs) {
    const int64_t tap = shift;
    cut.for_each_shift([&](int64_t of_run, const Tap& first) {
      const int64_t place = tap - (&first - cut.taps.data());
      if (place >= 0) shift = of_run, depth = place * cut.grid.in.channels + value / window;
    });
  }
  const int64_t part_depth = cut.part_tiles * kTileSide;
  return job.scratch + depth / part_depth * cut.part_sums() + shift * cut.shift_sums() + depth % part_depth * cut.sums_row() +
         out_tile * kTileSide;
}

inline void join_tile_sums(const TapWeightGradient<Bfloat16>& job, const TileGradientCut& cut) {
  const int64_t values = cut.grid.in.channels * static_cast<int64_t>(cut.taps.size());
#pragma omp for collapse(2) schedule(static)
  for (int64_t out = 0; out < cut.out_tiles; ++out) {
    for (int64_t first = 0; first < values; first += kLanes) {
      join_gradient_square(job, out * kTileSide, first, cut.row_parts, cut.column_parts * cut.part_sums(),
                           [&](int64_t value) { return tile_sums(job, cut, value, out); });
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
      TileGradientPart(job, cut, part, scratch).compute();
    }
    join_tile_sums(job, cut);
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
