// Filters as tiles: (tile of columns, run, step of the depth). Included by variant.cpp inside the variant's own namespace.
//
// Taps side by side make a run: in NHWC the values under them lie in one piece, so the depth goes on from one to the next and is
// filled up with zeros only once, at the end of the run.

/// Calls f(first tap, taps, steps) for each run.
template <class F>
void for_each_run(std::span<const Tap> taps, int64_t channels, const F& f) {
  for (size_t first = 0, end; first < taps.size(); first = end) {
    end = first + 1;
    while (end < taps.size() && taps[end].y == taps[first].y && taps[end].x == taps[end - 1].x + 1) ++end;
    const auto count = static_cast<int64_t>(end - first);
    f(first, count, (count * channels + kTileDepth - 1) / kTileDepth);
  }
}

inline int64_t tile_steps(std::span<const Tap> taps, int64_t channels) {
  int64_t steps = 0;
  for_each_run(taps, channels, [&](size_t /*first*/, int64_t /*count*/, int64_t of_run) { steps += of_run; });
  return steps;
}

inline int64_t tile_filter_values(const TapGrid& grid, std::span<const Tap> taps) {
  return round_up(grid.out.channels, kTileSide) * tile_steps(taps, grid.in.channels) * kTileDepth;
}

/// Where depth d of column n lies in a run whose first tile of n's columns is `run`.
[[gnu::always_inline]] inline Bfloat16* tile_filter(Bfloat16* run, int64_t d, int64_t n) {
  return run + d / kTileDepth * kTileValues + d % kTileDepth / 2 * kTileDepth + n % kTileSide * 2 + d % 2;
}

/// All of a tile of columns, square by square.
inline void pack_tile_squares(const TapFilters<Bfloat16>& job, int64_t first_column, Bfloat16* to) {
  for (int64_t d = 0; d < job.depth; d += kLanes) {
    std::array<Bfloat16*, kSquareTaps> at;  // depth 0 of each tap, relative to its run
    Bfloat16* run = to;
    for_each_run(job.taps, job.depth, [&](size_t first, int64_t count, int64_t steps) {
      for (int64_t i = 0; i < count; ++i) at[first + static_cast<size_t>(i)] = tile_filter(run, i * job.depth + d, 0);
      if (d == 0) std::fill_n(run + (steps - 1) * kTileValues, kTileValues, Bfloat16{});
      run += steps * kTileValues;
    });
    for_each_tap_square(job, first_column, d, [&](size_t tap, const Vector(&square)[kLanes]) {
      for (int64_t k = 0; k < kLanes; k += 2)
        *reinterpret_cast<Words*>(at[tap] + k / 2 * kTileDepth) = pair_words(square[k], square[k + 1]);
    });
  }
}

/// The same value by value.
inline void pack_tile_values(const TapFilters<Bfloat16>& job, int64_t first_column, Bfloat16* to) {
  const int64_t columns = std::min(kTileSide, job.columns - first_column);
  for_each_run(job.taps, job.depth, [&](size_t first, int64_t count, int64_t steps) {
    std::fill_n(to, steps * kTileValues, Bfloat16{});
    for (int64_t i = 0; i < count; ++i) {
      const int64_t tap = job.filter_taps[first + static_cast<size_t>(i)];
      for (int64_t d = 0; d < job.depth; ++d) {
        for (int64_t n = first_column; n < first_column + columns; ++n)
          store(*tile_filter(to, i * job.depth + d, n), *tap_filter(job, n, d, tap));
      }
    }
    to += steps * kTileValues;
  });
}

inline void tile_filters(const TapFilters<Bfloat16>& job) {
  const int64_t tile_values = tile_steps(job.taps, job.depth) * kTileValues;
  const bool squares = has_tap_squares(job);
#pragma omp parallel for schedule(static)
  for (int64_t n = 0; n < job.columns; n += kTileSide) {
    Bfloat16* to = job.packed + n / kTileSide * tile_values;
    squares ? pack_tile_squares(job, n, to) : pack_tile_values(job, n, to);
  }
}
