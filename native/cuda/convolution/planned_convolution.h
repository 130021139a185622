#pragma once

#include <optional>
#include <string>

#include "cuda/convolution/execution_plan.h"
#include "cuda/convolution/shape.h"
#include "cuda/operation.h"
#include "cuda/plan_builder.h"

namespace dl::cuda {

/// One direction of a layer's convolution in a plan. Planned from cuDNN's heuristics alone; compiled, and the quickest candidate
/// found by timing, when the plan gets memory.
class PlannedConvolution {
 public:
  PlannedConvolution() = default;
  /// Plans scratch memory for whichever candidate will be chosen. `layer` is for messages.
  PlannedConvolution(PlanBuilder& builder, const ConvolutionShape& shape, const std::string& layer);

  explicit operator bool() const { return shape_.images > 0; }
  /// What is written there before does not matter. Throws kInternal where cuDNN has no engine after all,
  /// kOutOfMemory where that is for want of memory beside the plan's.
  void bind(ConvolutionPointers pointers, const Arena& arena, const Handles& handles, Target& target);
  void execute(const Pass& pass) const;

 private:
  std::string layer_;
  ConvolutionShape shape_;
  ConvolutionRules rules_;
  BufferId workspace_ = -1;
  int64_t workspace_bytes_ = 0;
  ConvolutionPointers pointers_;
  std::optional<ExecutionPlan> plan_;
};

/// Whether cuDNN can compute it on this device at all.
bool is_computable(PlanBuilder& builder, const ConvolutionShape& shape);

}  // namespace dl::cuda
