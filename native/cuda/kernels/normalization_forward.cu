#include "cuda/kernels/arithmetic/gate.h"
#include "cuda/kernels/arithmetic/per_channel.h"
#include "cuda/kernels/arithmetic/row_tiling.h"
#include "cuda/kernels/launch.h"

namespace dl::cuda {
namespace {

/// From the last row of each chunk to the first: what batch_statistics read last is still in the second-level cache.
template <class T, bool kWhole, bool kResidual>
struct ForwardProgram {
  static constexpr int kThreads = RowTiling::kThreads;
  static constexpr int kBlocks = 2;
  static constexpr int kPhases = 1;
  static constexpr int kRows = !kWhole ? 1 : (kResidual ? 4 : 8) / sizeof(T);
  using Shared = Nothing;
  using State = Nothing;

  NormalizationForward<T> job;
  Bounds bound;
  Bounds stored_bound;  // as an activation of type T holds it
  RowTiling tiling;

  template <int kPhase>
  DL_HOST_DEVICE void phase(const Place& place, Shared&, State&) const {
    const TileThread thread(tiling, place.block, place.thread);
    if (thread.rows == 0) return;
    float scale[kVector], shift[kVector];
    load_channels<kWhole>(job.scale, thread.channel, thread.count, 1, scale);
    load_channels<kWhole>(job.shift, thread.channel, thread.count, 0, shift);
    const auto apply = [&]<int kCount>(int64_t first, std::integral_constant<int, kCount>) {
      Vector8<T> x[kCount];
      [[maybe_unused]] Vector8<T> residual[kCount];
      DL_UNROLL
      for (int r = 0; r < kCount; ++r) {
        const int64_t at = thread.first + (first + r) * thread.step;
        x[r] = load8<kWhole, Use::kLast>(job.x + at, thread.count);
        if constexpr (kResidual) residual[r] = load8<kWhole, Use::kLast>(job.residual + at, thread.count);
      }
      DL_UNROLL
      for (int r = 0; r < kCount; ++r) {
        float y[kVector];
        uint32_t passed = 0;
        DL_UNROLL
        for (int c = 0; c < kVector; ++c) {
          float v = normalize(value_of(x[r], c), scale[c], shift[c]);
          if constexpr (kResidual) v += value_of(residual[r], c);
          y[c] = bound.clamp(v);
          if (job.mask != nullptr) passed |= static_cast<uint32_t>(stored_bound.pass(as_stored<T>(y[c]))) << c;
        }
        store8<kWhole>(job.y + thread.first + (first + r) * thread.step, thread.count, y);
        if (job.mask != nullptr) job.mask[thread.first_mask + (first + r) * thread.mask_step] = static_cast<uint8_t>(passed);
      }
    };
    int64_t row = thread.rows;
    for (; row >= kRows; row -= kRows) apply(row - kRows, std::integral_constant<int, kRows>());
    for (; row > 0; --row) apply(row - 1, std::integral_constant<int, 1>());
  }
};

template <class T, bool kWhole>
cudaError_t start(const Launch& on, const NormalizationForward<T>& job) {
  const RowTiling tiling = row_tiling(job.rows, job.channels, on.multiprocessors);
  const Bounds bound = bounds(job.activation);
  const Bounds stored_bound{bound.lower, as_stored<T>(bound.upper)};
  return job.residual != nullptr
             ? launch(on, tiling.blocks(), ForwardProgram<T, kWhole, true>{job, bound, stored_bound, tiling})
             : launch(on, tiling.blocks(), ForwardProgram<T, kWhole, false>{job, bound, stored_bound, tiling});
}

}  // namespace

template <class T>
cudaError_t normalization_forward(const Launch& on, const NormalizationForward<T>& job) {
  return vectors_fit(job.channels, job.x, job.residual, job.y) ? start<T, true>(on, job) : start<T, false>(on, job);
}

template cudaError_t normalization_forward(const Launch&, const NormalizationForward<float>&);
template cudaError_t normalization_forward(const Launch&, const NormalizationForward<Bfloat16>&);

}  // namespace dl::cuda
