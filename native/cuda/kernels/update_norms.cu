#include <algorithm>

#include "cuda/kernels/segments.h"

namespace dl::cuda {
namespace {

/// A block has one segment and a share of the statistics; where there is no segment at all, one block has all statistics.
struct NormsProgram {
  static constexpr int kThreads = kSegmentThreads;
  static constexpr int kBlocks = 4;
  static constexpr int kPhases = 7;
  static constexpr int kGroups = 16;  // of threads whose sums are joined first
  using State = Nothing;
  struct Norms {
    double gradient;
    double weight;
    double statistics;
  };
  struct Shared {
    Norms threads[kThreads];
    Norms groups[kGroups];
    bool last;
  };

  UpdateNorms job;
  Norms* partial;  // (blocks)
  int64_t blocks;

  template <int kPhase>
  DL_HOST_DEVICE void phase(const Place& place, Shared& shared, State&) const {
    if constexpr (kPhase == 0) {
      Norms norms = job.segments == 0 ? Norms{0, 0, 0} : of_segment(job.segment[place.block], place.thread);
      for (int64_t i = place.block * kThreads + place.thread; i < job.statistics_size; i += blocks * kThreads) {
        const double value = static_cast<double>(job.statistics[i]);
        norms.statistics += value * value;
      }
      shared.threads[place.thread] = norms;
    } else if constexpr (kPhase == 1 || kPhase == 5) {
      if (kPhase == 5 && !shared.last) return;
      if (place.thread < kGroups) {
        shared.groups[place.thread] = sum(shared.threads + place.thread * (kThreads / kGroups), kThreads / kGroups);
      }
    } else if constexpr (kPhase == 2) {
      if (place.thread != 0) return;
      partial[place.block] = sum(shared.groups, kGroups);
      publish();
    } else if constexpr (kPhase == 3) {
      if (place.thread == 0) shared.last = last_of(job.scratch.counters, static_cast<uint32_t>(blocks));
    } else if constexpr (kPhase == 4) {
      if (!shared.last) return;
      Norms norms{0, 0, 0};
      for (int64_t i = place.thread; i < blocks; i += kThreads) {
        norms.gradient += load_published(&partial[i].gradient);
        norms.weight += load_published(&partial[i].weight);
        norms.statistics += load_published(&partial[i].statistics);
      }
      shared.threads[place.thread] = norms;
    } else {
      if (!shared.last || place.thread != 0) return;
      const Norms norms = sum(shared.groups, kGroups);
      StepSums sums = job.report->sums;
      sums.squared_gradient_norm = norms.gradient;
      sums.squared_weight_norm = norms.weight;
      sums.squared_statistics = norms.statistics;
      job.report->sums = sums;
      job.report->verdict = judge(sums, job.inputs->rule);
    }
  }

 private:
  DL_HOST_DEVICE Norms of_segment(const ParameterSegment& segment, int thread) const {
    const float prior = segment.regularized != 0 ? static_cast<float>(job.inputs->rule.weight_prior) : 0.0f;
    Norms norms{0, 0, 0};
    for_each_eight(segment, thread, [&](auto whole, int64_t at, int count) {
      const Vector8<float> w = load8<whole.value>(job.values + at, count);
      // A frozen layer has no gradient, but a part in the regularisation.
      const Vector8<float> g = segment.frozen != 0 ? w : load8<whole.value>(job.gradients + at, count);
      float gradient = 0, weight = 0;
      DL_UNROLL
      for (int i = 0; i < kVector; ++i) {
        const float value = value_of(w, i), total = value_of(g, i) + prior * value;
        gradient += total * total;
        weight += value * value;
      }
      norms.gradient += static_cast<double>(gradient);
      norms.weight += static_cast<double>(weight);
    });
    if (segment.frozen != 0) norms.gradient = 0;
    if (segment.regularized == 0) norms.weight = 0;
    return norms;
  }

  DL_HOST_DEVICE static Norms sum(const Norms* values, int count) {
    Norms total{0, 0, 0};
    for (int i = 0; i < count; ++i) {
      total.gradient += values[i].gradient;
      total.weight += values[i].weight;
      total.statistics += values[i].statistics;
    }
    return total;
  }
};

}  // namespace

cudaError_t update_norms(const Launch& on, const UpdateNorms& job) {
  const int64_t blocks = std::max<int64_t>(job.segments, 1);
  return launch(on, blocks, NormsProgram{job, static_cast<NormsProgram::Norms*>(job.scratch.partial), blocks});
}

ReductionSize norms_reduction_size(int64_t segments) {
  return {std::max<int64_t>(segments, 1) * static_cast<int64_t>(sizeof(NormsProgram::Norms)), 1};
}

}  // namespace dl::cuda
