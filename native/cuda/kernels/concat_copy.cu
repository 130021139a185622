#include "cuda/kernels/launch.h"

namespace dl::cuda {
namespace {

/// A thread copies one unit of a row: eight values, or one where they are not aligned.
template <class T, bool kWhole>
struct ConcatProgram {
  static constexpr int kThreads = 256;
  static constexpr int kBlocks = 4;
  static constexpr int kPhases = 1;
  static constexpr int kUnit = kWhole ? kVector : 1;
  using Shared = Nothing;
  using State = Nothing;

  ConcatCopy<T> job;

  template <int kPhase>
  DL_HOST_DEVICE void phase(const Place& place, Shared&, State&) const {
    const int64_t units = job.part_channels / kUnit, item = place.block * kThreads + place.thread;
    if (item >= job.rows * units) return;
    T* part = job.part + item * kUnit;
    T* whole = job.whole + item / units * job.whole_channels + job.first_channel + item % units * kUnit;
    const T* from = job.into_whole ? part : whole;
    T* to = job.into_whole ? whole : part;
    if constexpr (kWhole) {
      store8(to, load8<true, Use::kLast>(from, kVector));
    } else {
      *to = *from;
    }
  }
};

template <class T, bool kWhole>
cudaError_t start(const Launch& on, const ConcatCopy<T>& job) {
  using Program = ConcatProgram<T, kWhole>;
  return launch(on, blocks_for(job.rows * job.part_channels / Program::kUnit, Program::kThreads), Program{job});
}

}  // namespace

template <class T>
cudaError_t concat_copy(const Launch& on, const ConcatCopy<T>& job) {
  const bool whole = vectors_fit(job.part_channels, job.part, job.whole) && job.whole_channels % kVector == 0 &&
                     job.first_channel % kVector == 0;
  return whole ? start<T, true>(on, job) : start<T, false>(on, job);
}

template cudaError_t concat_copy(const Launch&, const ConcatCopy<float>&);
template cudaError_t concat_copy(const Launch&, const ConcatCopy<Bfloat16>&);

}  // namespace dl::cuda
