// Convolutions in bfloat16 as products of tiles, forward and data gradient. Included by variant.cpp inside the variant's own
// namespace.
//
// A thread takes a block of outputs whose inputs stay in the second-level cache and multiplies them with a pair of tiles of
// columns after the other: 32 x 32 sums stay in registers over the whole depth.

/// Bytes of input that a block of outputs reads.
constexpr int64_t kTileBlockBytes = 512 * 1024;

/// How a product is cut.
struct TileCut {
  TileCut(const TapGrid& grid, std::span<const Tap> job_taps, int64_t threads)
      : planes(grid, job_taps),
        channels(grid.in.channels),
        taps(job_taps),
        in_place(planes.in_place && channels % kTileDepth == 0) {
    const int64_t images = grid.out.images;
    if (in_place) {
      // The image is one line of all pixels.
      const int64_t bytes_a_row = channels * static_cast<int64_t>(sizeof(Bfloat16));
      const int64_t wanted = round_up(std::clamp<int64_t>(kTileBlockBytes / bytes_a_row, 64, 1024), kPairSide);
      blocks = round_up((grid.rows() + wanted - 1) / wanted, threads);
      slab_rows = round_up((grid.rows() + blocks - 1) / blocks, kPairSide);
      blocks = (grid.rows() + slab_rows - 1) / slab_rows;
      return;
    }
    const int64_t line_bytes = planes.phases * planes.line_pixels() * channels * static_cast<int64_t>(sizeof(Bfloat16));
    const int64_t wanted = std::clamp<int64_t>(kTileBlockBytes / line_bytes, planes.more_lines + 1,
                                               std::max<int64_t>(grid.height, planes.more_lines + 1));
    slabs_an_image = (grid.height + wanted - 1) / wanted;
    lines = (grid.height + slabs_an_image - 1) / slabs_an_image;
    slabs_an_image = (grid.height + lines - 1) / lines;
    slab_rows = planes.rows(lines);
    const int64_t all = images * slabs_an_image;
    const int64_t fitting = std::max<int64_t>(1, kTileBlockBytes / (line_bytes * (lines + planes.more_lines)));
    blocks = std::min(all, round_up((all + fitting - 1) / fitting, threads));
    slabs = (all + blocks - 1) / blocks;
    blocks = (all + slabs - 1) / slabs;
  }

  int64_t slab_values() const { return round_up(planes.values(lines, channels), kTileDepth); }
  /// Of a slab.
  int64_t target_rows() const { return round_up(slab_rows, kPairSide); }
  int64_t column_tiles() const { return (planes.grid.out.channels + kTileSide - 1) / kTileSide; }
  int64_t panels() const { return (column_tiles() + 1) / 2; }

  TilePlanes planes;
  int64_t channels;
  std::span<const Tap> taps;
  bool in_place;
  int64_t slabs_an_image = 1;
  int64_t lines = 0;  // of a slab
  int64_t slab_rows = 0;
  int64_t slabs = 1;  // of a block
  int64_t blocks = 0;
};

/// What a thread knows of its block of outputs.
class TileBlock {
 public:
  static int64_t bytes(const TileCut& cut) { return sums_bytes() + runs_bytes(cut) + targets_bytes(cut) + input_bytes(cut); }

  TileBlock(const TapProduct<Bfloat16>& job, const TileCut& cut, std::byte* scratch)
      : job_(job),
        cut_(cut),
        sums_(reinterpret_cast<float*>(scratch)),
        runs_(reinterpret_cast<DepthPiece*>(scratch + sums_bytes())),
        targets_(reinterpret_cast<Bfloat16**>(scratch + sums_bytes() + runs_bytes(cut))),
        input_(reinterpret_cast<Bfloat16*>(scratch + sums_bytes() + runs_bytes(cut) + targets_bytes(cut))) {
    for_each_run(cut.taps, cut.channels, [&](size_t first, int64_t /*count*/, int64_t steps) {
      const int64_t pixel = cut.in_place ? 0 : cut.planes.pixel(cut.taps[first], cut.lines);
      runs_[run_count_++] = {pixel * cut.channels, steps_ * kTileValues, steps};
      steps_ += steps;
    });
  }

  int64_t present() const { return present_; }

  void go_to(int64_t block) {
    present_ = block;
    const TapGrid& grid = cut_.planes.grid;
    if (cut_.in_place) {
      point_at_outputs(first_row(), rows(0), targets_);
      // Tiles must not reach over the end of the input.
      const int64_t rest = grid.rows() % kPairSide;
      if (first_row() + rows(0) == grid.rows())
        std::copy_n(job_.x + (grid.rows() - rest) * cut_.channels, rest * cut_.channels, input_);
      return;
    }
    for (int64_t s = 0; s < slabs(); ++s) {
      // A last slab of fewer lines has the planes of a whole one.
      copy_planes(cut_.planes, job_.x, image(s), line(s), cut_.lines, 0, cut_.channels, input_ + s * cut_.slab_values());
      point_at_outputs((image(s) * grid.height + line(s)) * grid.width, lines(s) * grid.width, targets_ + s * cut_.target_rows());
    }
  }

  /// Of a pair of tiles of columns.
  void compute(int64_t panel) const {
    const int64_t column_tile = 2 * panel, column = column_tile * kTileSide;
    TilePair pair{.rows = 0,
                  .column_tiles = std::min<int64_t>(2, cut_.column_tiles() - column_tile),
                  .a = nullptr,
                  .a_row = cut_.planes.row_pixels * cut_.channels,
                  .b = job_.filters + column_tile * steps_ * kTileValues,
                  .b_tile = steps_ * kTileValues,
                  .pieces = {runs_, static_cast<size_t>(run_count_)},
                  .sums = sums_,
                  .sums_row = kPairSide,
                  .add = false};
    // What is added to is read in any case.
    const bool writes_lines =
        !job_.stage.adds && are_lines(job_.y, job_.grid.out.channels) && column + kPairSide <= job_.grid.out.channels;
    for (int64_t s = 0; s < slabs(); ++s) {
      for (int64_t row = 0; row < rows(s); row += kPairSide) {
        pair.rows = std::min(kPairSide, rows(s) - row);
        pair.a = input(s, row);
        Bfloat16* const* targets = targets_ + s * cut_.target_rows() + row;
        if (writes_lines) {
          multiply_tiles(pair);
          write_lines(targets, pair.rows, column);
          continue;
        }
        // Memory is slower than these products: what is written is asked for in time.
        for (int64_t r = 0; r < pair.rows; ++r) {
          if (targets[r]) __builtin_prefetch(targets[r] + column, 1);
        }
        multiply_tiles(pair);
        write(targets, pair.rows, column);
      }
    }
  }

 private:
  static int64_t sums_bytes() { return kPairSide * kPairSide * static_cast<int64_t>(sizeof(float)); }
  static int64_t runs_bytes(const TileCut& cut) {
    return round_up(static_cast<int64_t>(cut.taps.size()) * static_cast<int64_t>(sizeof(DepthPiece)), kLineBytes);
  }
  static int64_t targets_bytes(const TileCut& cut) {
    return round_up(cut.slabs * cut.target_rows() * static_cast<int64_t>(sizeof(Bfloat16*)), kLineBytes);
  }
  static int64_t input_bytes(const TileCut& cut) {
    const int64_t values = cut.in_place ? kPairSide * cut.channels : cut.slabs * cut.slab_values();
    return round_up(values * static_cast<int64_t>(sizeof(Bfloat16)), kLineBytes);
  }

  // In place.
  int64_t first_row() const { return present_ * cut_.slab_rows; }

  int64_t slabs() const {
    if (cut_.in_place) return 1;
    return std::min(cut_.slabs, cut_.planes.grid.out.images * cut_.slabs_an_image - present_ * cut_.slabs);
  }
  int64_t image(int64_t slab) const { return (present_ * cut_.slabs + slab) / cut_.slabs_an_image; }
  int64_t line(int64_t slab) const { return (present_ * cut_.slabs + slab) % cut_.slabs_an_image * cut_.lines; }
  int64_t lines(int64_t slab) const { return std::min(cut_.lines, cut_.planes.grid.height - line(slab)); }
  int64_t rows(int64_t slab) const {
    return cut_.in_place ? std::min(cut_.slab_rows, cut_.planes.grid.rows() - first_row()) : cut_.planes.rows(lines(slab));
  }

  /// Where the outputs of grid positions lie; null for those over the edge of a line.
  void point_at_outputs(int64_t position, int64_t count, Bfloat16** to) const {
    const TapGrid& grid = cut_.planes.grid;
    int64_t x = position % grid.width, y = position / grid.width % grid.height, n = position / grid.width / grid.height;
    for (int64_t i = 0; i < count; ++i) {
      const int64_t line = n * grid.out.height + grid.out_first_y + y * grid.out_step_y;
      *to++ = job_.y + (line * grid.out.width + grid.out_first_x + x * grid.out_step_x) * grid.out.channels;
      if (++x < grid.width) continue;
      x = 0;
      if (i + 1 < count) to = std::fill_n(to, cut_.planes.columns - grid.width, nullptr);
      if (++y < grid.height) continue;
      y = 0, ++n;
    }
  }

  /// Of a pair of tiles of rows.
  const Bfloat16* input(int64_t slab, int64_t row) const {
    if (!cut_.in_place) return input_ + slab * cut_.slab_values() + row * cut_.planes.row_pixels * cut_.channels;
    const int64_t first = first_row() + row;
    return first + kPairSide > cut_.planes.grid.rows() ? input_ : job_.x + first * cut_.channels;
  }

  void write(Bfloat16* const* to, int64_t rows, int64_t first_column) const {
    const int64_t columns = std::min(kPairSide, cut_.planes.grid.out.channels - first_column);
    for (int64_t r = 0; r < rows; ++r) {
      if (!to[r]) continue;
      const float* sums = sums_ + r * kPairSide;
      Bfloat16* at = to[r] + first_column;
      int64_t n = 0;
      for (; n + kLanes <= columns; n += kLanes)
        VectorPack::store(at + n, finish(job_.stage, load_vector(sums + n), first_column + n, at + n));
      for (; n < columns; ++n) store(at[n], finish_value(job_.stage, sums[n], first_column + n, at[n]));
    }
  }

  /// A line of each row.
  void write_lines(Bfloat16* const* to, int64_t rows, int64_t column) const {
    static_assert(kPairSide == kLineValues);
    for (int64_t r = 0; r < rows; ++r) {
      if (!to[r]) continue;
      const float* sums = sums_ + r * kPairSide;
      Bfloat16* at = to[r] + column;
      write_line_past_caches(at, finish(job_.stage, load_vector(sums), column, at),
                             finish(job_.stage, load_vector(sums + kLanes), column + kLanes, at + kLanes));
    }
  }

  const TapProduct<Bfloat16>& job_;
  const TileCut& cut_;
  float* sums_;  // (32, 32)
  DepthPiece* runs_;
  Bfloat16** targets_;  // (slabs, rows)
  Bfloat16* input_;     // (slabs, planes); in place: the last rows
  int64_t run_count_ = 0;
  int64_t steps_ = 0;  // of all runs
  int64_t present_ = -1;
};

/// Outputs that no tap reaches.
inline void finish_without_taps(const TapProduct<Bfloat16>& job) {
  const TapGrid& grid = job.grid;
#pragma omp parallel for collapse(3) schedule(static) num_threads(static_cast<int>(job.threads))
  for (int64_t n = 0; n < grid.out.images; ++n) {
    for (int64_t y = 0; y < grid.height; ++y) {
      for (int64_t x = 0; x < grid.width; ++x) {
        const int64_t line = n * grid.out.height + grid.out_first_y + y * grid.out_step_y;
        Bfloat16* to = job.y + (line * grid.out.width + grid.out_first_x + x * grid.out_step_x) * grid.out.channels;
        for (int64_t c = 0; c < grid.out.channels; ++c) store(to[c], finish_value(job.stage, 0.0f, c, to[c]));
      }
    }
  }
}

/// Values of float32.
inline int64_t tile_product_scratch(const TapGrid& grid, std::span<const Tap> taps, int64_t threads) {
  if (taps.empty()) return 0;
  return threads * TileBlock::bytes(TileCut(grid, taps, threads)) / static_cast<int64_t>(sizeof(float));
}

inline void tile_product(const TapProduct<Bfloat16>& job) {
  if (job.taps.empty()) return finish_without_taps(job);
  const TileCut cut(job.grid, job.taps, job.threads);
  const int64_t tasks = cut.blocks * cut.panels();
#pragma omp parallel num_threads(static_cast<int>(job.threads))
  {
    const TilesInUse tiles;
    const int64_t thread = omp_get_thread_num(), threads = omp_get_num_threads();
    TileBlock block(job, cut, reinterpret_cast<std::byte*>(job.scratch) + thread * TileBlock::bytes(cut));
    for (int64_t task = tasks * thread / threads; task < tasks * (thread + 1) / threads; ++task) {
      if (task / cut.panels() != block.present()) block.go_to(task / cut.panels());
      block.compute(task % cut.panels());
    }
    finish_lines_past_caches();
  }
}
