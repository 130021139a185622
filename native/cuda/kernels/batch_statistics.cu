#include "cuda/kernels/arithmetic/normalization.h"
#include "cuda/kernels/channel_reduction.h"

namespace dl::cuda {
namespace {

template <class T, bool kWhole>
struct StatisticsSource {
  using Value = Moments;
  static constexpr int kBlocks = 2;
  /// Rows of a thread that are reduced at once: their mean, then their distances from it, in two passes over registers.
  static constexpr int kRows = kWhole && sizeof(T) == 2 ? 4 : 2;

  BatchStatistics<T> job;

  DL_HOST_DEVICE void thread_values(const TileThread& thread, Moments (&moments)[kVector]) const {
    DL_UNROLL
    for (int c = 0; c < kVector; ++c) moments[c] = {};
    const T* from = job.x + thread.first;
    float done = 0;
    int64_t rows = thread.rows;
    for (; rows >= kRows; rows -= kRows) {
      Vector8<T> x[kRows];
      DL_UNROLL
      for (int r = 0; r < kRows; ++r) x[r] = load8<kWhole>(from + r * thread.step, thread.count);
      from += kRows * thread.step;
      add(x, done, moments);
      done += kRows;
    }
    for (; rows > 0; --rows) {
      Vector8<T> x[1] = {load8<kWhole>(from, thread.count)};
      from += thread.step;
      add(x, done, moments);
      done += 1;
    }
  }

  DL_HOST_DEVICE void finish(int64_t channel, const Moments& moments) const {
    const double mean = moments.mean, count = static_cast<double>(job.rows);
    const double variance = static_cast<double>(moments.square) / count;
    save_normalization(job.saved, channel, mean, variance, job.epsilon, job.weight[channel], job.bias[channel]);
    const double unbiased = job.rows > 1 ? count / (count - 1) : 1.0;
    move(job.running_mean[channel], mean);
    move(job.running_variance[channel], variance * unbiased);
  }

 private:
  template <int kCount>
  DL_HOST_DEVICE static void add(const Vector8<T> (&x)[kCount], float done, Moments (&moments)[kVector]) {
    DL_UNROLL
    for (int c = 0; c < kVector; ++c) {
      Moments batch{0, 0};
      DL_UNROLL
      for (int r = 0; r < kCount; ++r) batch.mean += value_of(x[r], c);
      batch.mean *= 1.0f / kCount;
      DL_UNROLL
      for (int r = 0; r < kCount; ++r) {
        const float distance = value_of(x[r], c) - batch.mean;
        batch.square += distance * distance;
      }
      moments[c] = join(moments[c], done, batch, kCount);
    }
  }

  DL_HOST_DEVICE void move(float& running, double value) const {
    running = static_cast<float>((1 - job.momentum) * static_cast<double>(running) + job.momentum * value);
  }
};

template <class T, bool kWhole>
cudaError_t start(const Launch& on, const BatchStatistics<T>& job) {
  const RowTiling tiling = row_tiling(job.rows, job.channels, on.multiprocessors);
  return launch(on, tiling.blocks(),
                ChannelReduction<StatisticsSource<T, kWhole>>{
                    {job}, tiling, static_cast<Moments*>(job.scratch.partial), job.scratch.counters});
}

}  // namespace

template <class T>
cudaError_t batch_statistics(const Launch& on, const BatchStatistics<T>& job) {
  return vectors_fit(job.channels, job.x) ? start<T, true>(on, job) : start<T, false>(on, job);
}

template cudaError_t batch_statistics(const Launch&, const BatchStatistics<float>&);
template cudaError_t batch_statistics(const Launch&, const BatchStatistics<Bfloat16>&);

ReductionSize reduction_size(int64_t rows, int64_t channels, int multiprocessors) {
  const RowTiling tiling = row_tiling(rows, channels, multiprocessors);
  return {tiling.blocks() * tiling.slice_channels() * static_cast<int64_t>(sizeof(Moments)), tiling.slices};
}

}  // namespace dl::cuda
