#include "cuda/kernels/gated_gradient.h"
#include "cuda/kernels/launch.h"

namespace dl::cuda {
namespace {

/// From the last row of each chunk to the first: what the first half read last is still in the second-level cache.
template <class T, bool kWhole, Gate kGate>
struct BackwardProgram {
  static constexpr int kThreads = RowTiling::kThreads;
  static constexpr int kBlocks = 1;
  static constexpr int kPhases = 1;
  static constexpr int kRows = !kWhole ? 1 : sizeof(T) == 2 ? 4 : 2;
  using Shared = Nothing;
  using State = Nothing;

  NormalizationBackward<T> job;
  GatedGradient<T, kWhole, kGate> gradient;
  RowTiling tiling;

  template <int kPhase>
  DL_HOST_DEVICE void phase(const Place& place, Shared&, State&) const {
    const TileThread thread(tiling, place.block, place.thread);
    if (thread.rows == 0) return;
    float scale[kVector], slope[kVector], offset[kVector];
    load_channels<kWhole>(job.scale, thread.channel, thread.count, 0, scale);
    load_channels<kWhole>(job.slope, thread.channel, thread.count, 0, slope);
    load_channels<kWhole>(job.offset, thread.channel, thread.count, 0, offset);
    typename GatedGradient<T, kWhole, kGate>::Channels channels;
    gradient.load_channels_of(thread, channels);
    const bool reads_x = job.slope != nullptr || kGate == Gate::kRecompute;
    const auto apply = [&]<int kCount>(int64_t first, std::integral_constant<int, kCount>) {
      typename GatedGradient<T, kWhole, kGate>::Row rows[kCount] = {};
      Vector8<T> x[kCount] = {};
      DL_UNROLL
      for (int r = 0; r < kCount; ++r) {
        rows[r] = gradient.template load<Use::kLast>(thread, first + r);
        if (reads_x) x[r] = load8<kWhole, Use::kLast>(job.x + thread.first + (first + r) * thread.step, thread.count);
      }
      DL_UNROLL
      for (int r = 0; r < kCount; ++r) {
        const int64_t at = thread.first + (first + r) * thread.step;
        float dz[kVector], dx[kVector];
        gradient.gate(rows[r], x[r], channels, dz);
        DL_UNROLL
        for (int c = 0; c < kVector; ++c) dx[c] = scale[c] * dz[c] + (slope[c] * value_of(x[r], c) + offset[c]);
        if (job.dz != nullptr) store8<kWhole>(job.dz + at, thread.count, dz);
        if (job.dx != nullptr) store8<kWhole>(job.dx + at, thread.count, dx);
      }
    };
    int64_t row = thread.rows;
    for (; row >= kRows; row -= kRows) apply(row - kRows, std::integral_constant<int, kRows>());
    for (; row > 0; --row) apply(row - 1, std::integral_constant<int, 1>());
  }
};

template <class T, bool kWhole>
cudaError_t start(const Launch& on, const NormalizationBackward<T>& job) {
  const RowTiling tiling = row_tiling(job.rows, job.channels, on.multiprocessors);
  return with_gate(job.activation, job.mask, [&](auto gate) {
    return launch(on, tiling.blocks(),
                  BackwardProgram<T, kWhole, decltype(gate)::value>{
                      job, {job.dy, job.dy2, job.mask, job.scale, job.shift, bounds(job.activation)}, tiling});
  });
}

}  // namespace

template <class T>
cudaError_t normalization_backward(const Launch& on, const NormalizationBackward<T>& job) {
  return vectors_fit(job.channels, job.dy, job.dy2, job.x, job.dx, job.dz) ? start<T, true>(on, job) : start<T, false>(on, job);
}

template cudaError_t normalization_backward(const Launch&, const NormalizationBackward<float>&);
template cudaError_t normalization_backward(const Launch&, const NormalizationBackward<Bfloat16>&);

}  // namespace dl::cuda
