#pragma once

#include <span>
#include <vector>

#include "cpu/plan.h"
#include "engine/model.h"
#include "engine/solver_state.h"

namespace dl {

/// The last part of a step, worked out before anything is changed: from gradients to new weights by the rule of Model::train.
class Update {
 public:
  /// Of the gradients in the plan, whose norms are known.
  Update(const cpu::Plan& plan, const TrainOptions& options, const cpu::UpdateNorms& norms, SolverState& solver);

  /// Whether no value can become so large that float32 loses it; false where a norm is not a number. Beyond these limits a step
  /// counts as diverged: with such weights no loss would be finite any more.
  bool bounded() const;
  /// Changes the values (flat parameters) and the solver's state.
  void apply(std::span<float> values);

 private:
  const cpu::Plan& plan_;
  const TrainOptions& options_;
  SolverState& solver_;
  double gradient_norm_;   // after clipping
  double decay_norm_;      // of what weight decay takes away
  double gradient_scale_;  // what clipping leaves
  // Adam, by tensor.
  std::vector<float> updates_;  // with this one; 0 where the tensor is frozen
  std::vector<float> step_;
  std::vector<float> root_;
};

}  // namespace dl
