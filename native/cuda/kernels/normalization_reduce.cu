#include "cuda/kernels/channel_reduction.h"
#include "cuda/kernels/gated_gradient.h"

namespace dl::cuda {
namespace {

/// Sums of dz and dz * (x - mean).
template <class T, bool kWhole, Gate kGate>
struct GradientSource {
  using Value = Sums;
  static constexpr int kBlocks = 1;
  /// Rows whose loads are in flight together; summed by themselves before they join the thread's sums.
  static constexpr int kRows = !kWhole ? 1 : sizeof(T) == 2 ? 4 : 2;

  NormalizationReduce<T> job;
  GatedGradient<T, kWhole, kGate> gradient;

  DL_HOST_DEVICE void thread_values(const TileThread& thread, Sums (&sums)[kVector]) const {
    float mean[kVector];
    load_channels<kWhole>(job.saved.mean, thread.channel, thread.count, 0, mean);
    typename GatedGradient<T, kWhole, kGate>::Channels channels;
    gradient.load_channels_of(thread, channels);
    DL_UNROLL
    for (int c = 0; c < kVector; ++c) sums[c] = {0, 0};
    const auto add = [&]<int kCount>(int64_t first, std::integral_constant<int, kCount>) {
      typename GatedGradient<T, kWhole, kGate>::Row rows[kCount] = {};
      Vector8<T> x[kCount];
      DL_UNROLL
      for (int r = 0; r < kCount; ++r) {
        rows[r] = gradient.template load<Use::kKeep>(thread, first + r);
        x[r] = load8<kWhole>(job.x + thread.first + (first + r) * thread.step, thread.count);
      }
      Sums batch[kVector] = {};
      DL_UNROLL
      for (int r = 0; r < kCount; ++r) {
        float dz[kVector];
        gradient.gate(rows[r], x[r], channels, dz);
        DL_UNROLL
        for (int c = 0; c < kVector; ++c) {
          batch[c].first += dz[c];
          batch[c].second += dz[c] * (value_of(x[r], c) - mean[c]);
        }
        if (job.dz != nullptr) store8<kWhole>(job.dz + thread.first + (first + r) * thread.step, thread.count, dz);
      }
      DL_UNROLL
      for (int c = 0; c < kVector; ++c) sums[c] = join(sums[c], 0, batch[c], 0);
    };
    int64_t row = 0;
    for (; row + kRows <= thread.rows; row += kRows) add(row, std::integral_constant<int, kRows>());
    for (; row < thread.rows; ++row) add(row, std::integral_constant<int, 1>());
  }

  DL_HOST_DEVICE void finish(int64_t channel, const Sums& sums) const {
    const double mean = job.saved.mean[channel], inverse_deviation = job.saved.inverse_deviation[channel];
    const double scale = job.saved.scale[channel], count = static_cast<double>(job.rows);
    const double bias_gradient = sums.first, weight_gradient = static_cast<double>(sums.second) * inverse_deviation;
    const double slope = -scale * inverse_deviation * weight_gradient / count;
    job.weight_gradient[channel] = static_cast<float>(weight_gradient);
    job.bias_gradient[channel] = static_cast<float>(bias_gradient);
    job.slope[channel] = static_cast<float>(slope);
    job.offset[channel] = static_cast<float>(-scale * bias_gradient / count - slope * mean);
  }
};

template <class T, bool kWhole>
cudaError_t start(const Launch& on, const NormalizationReduce<T>& job) {
  const RowTiling tiling = row_tiling(job.rows, job.channels, on.multiprocessors);
  return with_gate(job.activation, job.mask, [&](auto gate) {
    using Source = GradientSource<T, kWhole, decltype(gate)::value>;
    const Source source{job, {job.dy, job.dy2, job.mask, job.saved.scale, job.saved.shift, bounds(job.activation)}};
    return launch(on, tiling.blocks(),
                  ChannelReduction<Source>{source, tiling, static_cast<Sums*>(job.scratch.partial), job.scratch.counters});
  });
}

}  // namespace

template <class T>
cudaError_t normalization_reduce(const Launch& on, const NormalizationReduce<T>& job) {
  return vectors_fit(job.channels, job.dy, job.dy2, job.x, job.dz) ? start<T, true>(on, job) : start<T, false>(on, job);
}

template cudaError_t normalization_reduce(const Launch&, const NormalizationReduce<float>&);
template cudaError_t normalization_reduce(const Launch&, const NormalizationReduce<Bfloat16>&);

}  // namespace dl::cuda
