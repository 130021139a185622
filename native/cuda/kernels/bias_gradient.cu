#include "cuda/kernels/channel_reduction.h"

namespace dl::cuda {
namespace {

template <class T, bool kWhole>
struct BiasSource {
  using Value = Sums;  // the second is not used
  static constexpr int kBlocks = 2;
  static constexpr int kRows = !kWhole ? 1 : sizeof(T) == 2 ? 4 : 2;

  const T* dy;
  float* db;

  DL_HOST_DEVICE void thread_values(const TileThread& thread, Sums (&sums)[kVector]) const {
    DL_UNROLL
    for (int c = 0; c < kVector; ++c) sums[c] = {0, 0};
    const auto add = [&]<int kCount>(int64_t first, std::integral_constant<int, kCount>) {
      Vector8<T> rows[kCount];
      DL_UNROLL
      for (int r = 0; r < kCount; ++r) rows[r] = load8<kWhole>(dy + thread.first + (first + r) * thread.step, thread.count);
      DL_UNROLL
      for (int c = 0; c < kVector; ++c) {
        float batch = 0;
        DL_UNROLL
        for (int r = 0; r < kCount; ++r) batch += value_of(rows[r], c);
        sums[c].first += batch;
      }
    };
    int64_t row = 0;
    for (; row + kRows <= thread.rows; row += kRows) add(row, std::integral_constant<int, kRows>());
    for (; row < thread.rows; ++row) add(row, std::integral_constant<int, 1>());
  }

  DL_HOST_DEVICE void finish(int64_t channel, const Sums& sums) const { db[channel] = sums.first; }
};

template <class T, bool kWhole>
cudaError_t start(const Launch& on, int64_t rows, int64_t channels, const T* dy, float* db, const ReductionScratch& scratch) {
  const RowTiling tiling = row_tiling(rows, channels, on.multiprocessors);
  return launch(on, tiling.blocks(),
                ChannelReduction<BiasSource<T, kWhole>>{{dy, db}, tiling, static_cast<Sums*>(scratch.partial), scratch.counters});
}

}  // namespace

template <class T>
cudaError_t bias_gradient(const Launch& on, int64_t rows, int64_t channels, const T* dy, float* db,
                          const ReductionScratch& scratch) {
  return vectors_fit(channels, dy) ? start<T, true>(on, rows, channels, dy, db, scratch)
                                   : start<T, false>(on, rows, channels, dy, db, scratch);
}

template cudaError_t bias_gradient(const Launch&, int64_t, int64_t, const float*, float*, const ReductionScratch&);
template cudaError_t bias_gradient(const Launch&, int64_t, int64_t, const Bfloat16*, float*, const ReductionScratch&);

}  // namespace dl::cuda
