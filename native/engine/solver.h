#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "engine/graph.h"
#include "engine/options.h"

namespace dl {

/// The rule that turns gradients into new weights; Model::train has the formulas.
enum class Solver { kSgd, kAdam };

/// A part of a solver's state that belongs to one tensor.
struct SolverPart {
  TensorRole role;
  bool scalar;  // one value; else as many as the tensor has
};

/// SGD: the momentum. Adam: the first and the second moment and the number of updates that they have seen.
std::span<const SolverPart> parts_of(Solver solver);

/// Whether the role is a part of a solver's state, and no tensor of a graph.
bool is_solver_role(TensorRole role);

/// Whether training can leave this value in a part of the state; true for other roles. Others could make weights that are not
/// numbers.
bool solver_allows(TensorRole role, float value);

/// The largest whole number up to which float32 has all. With so many updates the corrections 1 - beta^t are 1 to float32's
/// precision for each beta up to 1 - 1e-6.
constexpr float kMostUpdates = 16777216.0f;

/// What one step of Adam needs beside its gradients, by tensor of the graph; 0 where the tensor is frozen or not trained.
struct AdamCorrections {
  std::vector<float> updates;  // t, with this one; counts to kMostUpdates, which stands for more
  std::vector<float> step;     // learning rate / (1 - beta1^t)
  std::vector<float> root;     // 1 / sqrt(1 - beta2^t)

  /// The greatest step, divided by epsilon: what StepRule::adam_factor is.
  double factor(double epsilon) const;
};

/// `updates`: t before this step, by tensor.
AdamCorrections adam_corrections(const Graph& graph, std::span<const float> updates, const TrainOptions& options);

}  // namespace dl
