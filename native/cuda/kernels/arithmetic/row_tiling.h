#pragma once

#include <algorithm>
#include <cstdint>

#include "cuda/kernels/arithmetic/vector8.h"

namespace dl::cuda {

/// How blocks of kThreads threads share an activation (rows, channels), the same for all kernels of a batch norm: channels are
/// cut into slices of up to 64, rows into chunks; a block has one chunk of one slice. In it, a thread keeps its eight channels,
/// so that what belongs to channels stays in registers, and goes from row to row: thread = lane * slice_groups + group.
struct RowTiling {
  static constexpr int kThreads = 512;
  static constexpr int kSliceGroups = 8;  // groups of eight channels; 64 channels are one line of 128 bytes in bfloat16
  static constexpr int kBlocksPerMultiprocessor = 2;

  int64_t rows = 0;
  int64_t channels = 0;
  int64_t chunk_rows = 0;
  int slices = 0;
  int slice_groups = 0;
  int lanes = 0;  // rows that a block handles at a time
  int chunks = 0;

  DL_HOST_DEVICE int64_t blocks() const { return static_cast<int64_t>(slices) * chunks; }
  DL_HOST_DEVICE int slice_channels() const { return slice_groups * kVector; }
  // Neighbouring blocks have neighbouring channels of the same rows.
  DL_HOST_DEVICE int slice_of(int64_t block) const { return static_cast<int>(block % slices); }
  DL_HOST_DEVICE int chunk_of(int64_t block) const { return static_cast<int>(block / slices); }
  DL_HOST_DEVICE int64_t first_row(int chunk) const { return chunk * chunk_rows; }
  DL_HOST_DEVICE int64_t rows_of(int chunk) const {
    const int64_t left = rows - first_row(chunk);
    return left < chunk_rows ? left : chunk_rows;
  }
  /// Rows of a lane: lane, lane + lanes, ... of the chunk.
  DL_HOST_DEVICE int64_t rows_of_lane(int chunk, int lane) const { return (rows_of(chunk) - lane + lanes - 1) / lanes; }
};

/// Every chunk has rows; there are about as many blocks as the device holds at a time.
inline RowTiling row_tiling(int64_t rows, int64_t channels, int multiprocessors) {
  RowTiling tiling{.rows = rows, .channels = channels};
  const int64_t groups = (channels + kVector - 1) / kVector;
  tiling.slices = static_cast<int>((groups + RowTiling::kSliceGroups - 1) / RowTiling::kSliceGroups);
  tiling.slice_groups = static_cast<int>((groups + tiling.slices - 1) / tiling.slices);
  tiling.slices = static_cast<int>((groups + tiling.slice_groups - 1) / tiling.slice_groups);
  tiling.lanes = RowTiling::kThreads / tiling.slice_groups;
  const int64_t wanted = int64_t{RowTiling::kBlocksPerMultiprocessor} * multiprocessors / tiling.slices;
  const int64_t chunks = std::clamp<int64_t>(wanted, 1, (rows + tiling.lanes - 1) / tiling.lanes);
  tiling.chunk_rows = (rows + chunks - 1) / chunks;
  tiling.chunks = static_cast<int>((rows + tiling.chunk_rows - 1) / tiling.chunk_rows);
  return tiling;
}

/// Bytes of a bit mask for one row: channels / 8, rounded up.
DL_HOST_DEVICE constexpr int64_t mask_bytes(int64_t channels) { return (channels + 7) / 8; }

/// One thread's share of a tiling. The last threads of a block and groups behind the last channel have no rows.
struct TileThread {
  int count = 0;           // channels of the group that exist
  int64_t channel = 0;     // first of the group
  int64_t rows = 0;        // of the thread
  int64_t first = 0;       // index of the value (row, channel) in the activation
  int64_t step = 0;        // values to the thread's next row
  int64_t first_mask = 0;  // byte of the mask for (row, channel); a row has mask_bytes(channels)
  int64_t mask_step = 0;   // bytes of the mask to the thread's next row

  DL_HOST_DEVICE TileThread(const RowTiling& tiling, int64_t block, int thread) {
    const int group = thread % tiling.slice_groups;
    const int chunk = tiling.chunk_of(block);
    const int lane = thread / tiling.slice_groups;
    channel = (static_cast<int64_t>(tiling.slice_of(block)) * tiling.slice_groups + group) * kVector;
    if (lane >= tiling.lanes || channel >= tiling.channels) return;
    count = static_cast<int>(tiling.channels - channel < kVector ? tiling.channels - channel : kVector);
    const int64_t row = tiling.first_row(chunk) + lane;
    first = row * tiling.channels + channel;
    step = tiling.lanes * tiling.channels;
    rows = tiling.rows_of_lane(chunk, lane);
    first_mask = row * mask_bytes(tiling.channels) + channel / kVector;
    mask_step = tiling.lanes * mask_bytes(tiling.channels);
  }
};

}  // namespace dl::cuda
