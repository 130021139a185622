#include "cuda/kernels/arithmetic/solver_rule.h"
#include "cuda/kernels/segments.h"

namespace dl::cuda {
namespace {

struct SgdProgram {
  static constexpr int kThreads = kSegmentThreads;
  static constexpr int kBlocks = 4;
  static constexpr int kPhases = 1;
  using Shared = Nothing;
  using State = Nothing;

  SgdUpdate job;

  template <int kPhase>
  DL_HOST_DEVICE void phase(const Place& place, Shared&, State&) const {
    const ParameterSegment segment = job.segment[place.block];
    if (!job.report->verdict.sound || segment.frozen != 0) return;
    const SgdRule rule = rule_for(segment);
    for_each_eight(segment, place.thread, [&](auto whole, int64_t at, int count) {
      constexpr bool kWhole = whole.value;
      const Vector8<float> g = load8<kWhole, Use::kLast>(job.gradients + at, count);
      float w[kVector], v[kVector];
      unpack(load8<kWhole>(job.values + at, count), w);
      unpack(load8<kWhole>(job.velocities + at, count), v);
      DL_UNROLL
      for (int i = 0; i < kVector; ++i) rule.apply(value_of(g, i), w[i], v[i]);
      store8<kWhole>(job.values + at, count, w);
      store8<kWhole>(job.velocities + at, count, v);
      if (job.copies != nullptr) store8<kWhole>(job.copies + at, count, w);
    });
  }

 private:
  DL_HOST_DEVICE SgdRule rule_for(const ParameterSegment& segment) const {
    const StepRule& rule = job.inputs->rule;
    const bool regularized = segment.regularized != 0;
    return {.learning_rate = static_cast<float>(rule.learning_rate * job.report->verdict.gradient_scale),
            .momentum = static_cast<float>(job.inputs->momentum),
            .weight_prior = regularized ? static_cast<float>(rule.weight_prior) : 0.0f,
            .keep = regularized ? static_cast<float>(1 - rule.learning_rate * rule.weight_decay) : 1.0f};
  }
};

}  // namespace

cudaError_t sgd_update(const Launch& on, const SgdUpdate& job) { return launch(on, job.segments, SgdProgram{job}); }

}  // namespace dl::cuda
