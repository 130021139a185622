#pragma once

#include "cpu/operations/tap_parts.h"
#include "cpu/plan_builder.h"

namespace dl::cpu {

/// A convolution's weight gradient in bfloat16 by the own kernel for activations in groups of 16 channels.
class GroupedGradient {
 public:
  static bool applies(const LinearShape& shape);
  /// At the time of the layer's backward half.
  GroupedGradient(PlanBuilder& builder, const LinearShape& shape);

  /// `offset`: of the weights among the parameters.
  void compute(const Arena& arena, BufferId x, BufferId dy, int64_t offset, const SubBatch& batch) const;

 private:
  TapPart part_;
  int64_t threads_;
  BufferId scratch_;
};

}  // namespace dl::cpu
