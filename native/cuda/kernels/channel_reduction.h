#pragma once

#include "cuda/kernels/arithmetic/moments.h"
#include "cuda/kernels/arithmetic/row_tiling.h"
#include "cuda/kernels/launch.h"

namespace dl::cuda {

/// Reduces an activation to one value a channel, in one kernel: each thread its rows, each block its threads, and the last block
/// of a slice of channels the blocks. Each joins in a fixed order, whichever block happens to be the last.
///
/// Source:
///   Value                                  of one channel, for instance Moments; join(a, n_a, b, n_b) joins two of n rows
///   thread_values(thread, values)          of a thread's rows and eight channels; at least one row
///   finish(channel, value)                 takes the value of all rows
template <class Source>
struct ChannelReduction {
  using Value = typename Source::Value;
  static constexpr int kThreads = RowTiling::kThreads;
  static constexpr int kBlocks = Source::kBlocks;
  static constexpr int kPhases = 6;

  Source source;
  RowTiling tiling;
  Value* partial;      // (slices, chunks, slice channels)
  uint32_t* counters;  // (slices)

  /// The value of so many rows.
  struct Joined {
    Value value{};
    float rows = 0;

    DL_HOST_DEVICE void add(const Value& other, float n) {
      if (n == 0) return;
      value = join(value, rows, other, n);
      rows += n;
    }
  };

  using State = Nothing;
  struct Shared {
    // A step of 4 beyond the threads: neither writing by threads nor reading by channels meets one bank twice.
    static constexpr int kStep = kThreads + 4;
    Value values[kVector * kStep];
    Value parts[kThreads];
    float part_rows[kThreads];  // that each part stands for
    bool last;
  };

  template <int kPhase>
  DL_HOST_DEVICE void phase(const Place& place, Shared& shared, State& /*state*/) const {
    const int slice = tiling.slice_of(place.block), chunk = tiling.chunk_of(place.block);
    // From phase 1 on a thread has one channel, and shares it with one thread of each other part.
    const int width = tiling.slice_channels(), parts = kThreads / width;
    const int own = place.thread % width, part = place.thread / width;
    const int64_t channel = static_cast<int64_t>(slice) * width + own;
    const bool has_part = part < parts && channel < tiling.channels;
    Value* slice_partial = partial + static_cast<int64_t>(slice) * tiling.chunks * width + own;
    if constexpr (kPhase == 0) {
      const TileThread thread(tiling, place.block, place.thread);
      if (thread.rows == 0) return;
      Value values[kVector];
      source.thread_values(thread, values);
      DL_UNROLL
      for (int c = 0; c < kVector; ++c) shared.values[c * Shared::kStep + place.thread] = values[c];
    } else if constexpr (kPhase == 1) {
      if (!has_part) return;
      Joined joined;
      for (int lane = part; lane < tiling.lanes; lane += parts) {
        const int thread = lane * tiling.slice_groups + own / kVector;
        joined.add(shared.values[own % kVector * Shared::kStep + thread], static_cast<float>(tiling.rows_of_lane(chunk, lane)));
      }
      keep(shared, place.thread, joined);
    } else if constexpr (kPhase == 2) {
      if (!has_part || part > 0) return;
      slice_partial[static_cast<int64_t>(chunk) * width] = all_parts(shared, own, width, parts);
      publish();
    } else if constexpr (kPhase == 3) {
      if (place.thread == 0) shared.last = last_of(counters + slice, static_cast<uint32_t>(tiling.chunks));
    } else if constexpr (kPhase == 4) {
      if (!shared.last || !has_part) return;
      Joined joined;
      for (int first = part; first < tiling.chunks; first += parts * kLoads) {
        Value loaded[kLoads] = {};
        DL_UNROLL
        for (int i = 0; i < kLoads; ++i) {
          const int64_t from = first + i * parts;
          if (from < tiling.chunks) loaded[i] = load_published(slice_partial + from * width);
        }
        DL_UNROLL
        for (int i = 0; i < kLoads; ++i) {
          const int from = first + i * parts;
          if (from < tiling.chunks) joined.add(loaded[i], static_cast<float>(tiling.rows_of(from)));
        }
      }
      keep(shared, place.thread, joined);
    } else {
      if (!shared.last || !has_part || part > 0) return;
      source.finish(channel, all_parts(shared, own, width, parts));
    }
  }

 private:
  static constexpr int kLoads = 8;  // in flight

  DL_HOST_DEVICE static Value all_parts(const Shared& shared, int own, int width, int parts) {
    Joined joined;
    for (int i = own; i < own + parts * width; i += width) joined.add(shared.parts[i], shared.part_rows[i]);
    return joined.value;
  }

  DL_HOST_DEVICE static void keep(Shared& shared, int thread, const Joined& joined) {
    shared.parts[thread] = joined.value;
    shared.part_rows[thread] = joined.rows;
  }
};

}  // namespace dl::cuda
