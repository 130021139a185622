#include "cuda/kernels/arithmetic/solver_rule.h"
#include "cuda/kernels/segments.h"

namespace dl::cuda {
namespace {

struct AdamProgram {
  static constexpr int kThreads = kSegmentThreads;
  static constexpr int kBlocks = 4;
  static constexpr int kPhases = 1;
  using Shared = Nothing;
  using State = Nothing;

  AdamUpdate job;

  template <int kPhase>
  DL_HOST_DEVICE void phase(const Place& place, Shared&, State&) const {
    const ParameterSegment segment = job.segment[place.block];
    if (!job.report->verdict.sound || segment.frozen != 0) return;
    const AdamRule rule = rule_for(segment);
    for_each_eight(segment, place.thread, [&](auto whole, int64_t at, int count) {
      constexpr bool kWhole = whole.value;
      const Vector8<float> g = load8<kWhole, Use::kLast>(job.gradients + at, count);
      float w[kVector], m[kVector], v[kVector];
      unpack(load8<kWhole>(job.values + at, count), w);
      unpack(load8<kWhole>(job.first_moments + at, count), m);
      unpack(load8<kWhole>(job.second_moments + at, count), v);
      DL_UNROLL
      for (int i = 0; i < kVector; ++i) rule.apply(value_of(g, i), w[i], m[i], v[i]);
      store8<kWhole>(job.values + at, count, w);
      store8<kWhole>(job.first_moments + at, count, m);
      store8<kWhole>(job.second_moments + at, count, v);
      if (job.copies != nullptr) store8<kWhole>(job.copies + at, count, w);
    });
  }

 private:
  DL_HOST_DEVICE AdamRule rule_for(const ParameterSegment& segment) const {
    const StepInputs& inputs = *job.inputs;
    const bool regularized = segment.regularized != 0;
    return {.step = job.step[segment.tensor],
            .root = job.root[segment.tensor],
            .gradient_scale = static_cast<float>(job.report->verdict.gradient_scale),
            .one_minus_beta1 = static_cast<float>(1 - inputs.adam_beta1),
            .one_minus_beta2 = static_cast<float>(1 - inputs.adam_beta2),
            .epsilon = static_cast<float>(inputs.adam_epsilon),
            .weight_prior = regularized ? static_cast<float>(inputs.rule.weight_prior) : 0.0f,
            .keep = regularized ? static_cast<float>(1 - inputs.rule.learning_rate * inputs.rule.weight_decay) : 1.0f};
  }
};

}  // namespace

cudaError_t adam_update(const Launch& on, const AdamUpdate& job) { return launch(on, job.segments, AdamProgram{job}); }

}  // namespace dl::cuda
