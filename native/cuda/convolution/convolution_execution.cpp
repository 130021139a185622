#include <limits>

#include "cuda/convolution/planned_convolution.h"
#include "cuda/convolution/timing.h"
#include "cuda/runtime/memory.h"

namespace dl::cuda {

void PlannedConvolution::bind(ConvolutionPointers pointers, const Arena& arena, const Handles& handles, Target& target) {
  pointers.workspace = arena.at<void>(workspace_);
  pointers_ = pointers;
  const OperationGraph graph(shape_, handles.cudnn());
  const std::string key = key_of(shape_, rules_);
  if (const auto known = target.choices().find(key)) {
    plan_ = ExecutionPlan::make(graph, *known);
    if (plan_ && plan_->workspace_bytes() <= workspace_bytes_) {
      plan_->bind(pointers);
      return;
    }
  }
  std::optional<EngineChoice> best;
  bool starved = false;
  double best_seconds = std::numeric_limits<double>::infinity();
  for (const Candidate& candidate : target.candidates(shape_, rules_)) {
    auto plan = ExecutionPlan::make(graph, candidate.choice);
    if (!plan || plan->workspace_bytes() > workspace_bytes_) continue;
    plan->bind(pointers);
    const auto seconds = seconds_of(*plan, handles, best_seconds);
    starved = starved || (!seconds && short_of_memory());
    if (!seconds || *seconds >= best_seconds) continue;
    best = candidate.choice;
    best_seconds = *seconds;
    plan_ = std::move(plan);
  }
  const auto refusal = [&](Reason reason, const std::string& why) {
    return Error(reason, "layer '" + layer_ + "': none of cuDNN's engines for " + key + " works on this device" + why);
  };
  if (!best && (starved || short_of_memory())) throw refusal(Reason::kOutOfMemory, ", whose memory is full");
  if (!best) throw refusal(Reason::kInternal, "");
  // With more memory another one may be quicker.
  if (!starved) target.choices().add(key, *best);
}

void PlannedConvolution::execute(const Pass& pass) const { plan_->execute(pass.handles->cudnn()); }

}  // namespace dl::cuda
