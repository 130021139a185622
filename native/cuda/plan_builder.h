#pragma once

#include <vector>

#include "cuda/arena.h"
#include "cuda/target.h"
#include "engine/graph_planner.h"
#include "engine/solver.h"

namespace dl::cuda {

/// An activation of one batch: (images, height, width, channels).
struct Value {
  int64_t images = 0;
  ImageShape shape;  // channels with their padding
  DataType type = DataType::kFloat32;
  BufferId buffer = -1;

  int64_t rows() const { return images * shape.height * shape.width; }
  int64_t size() const { return images * shape.size(); }
};

/// A GraphPlanner with activations and reductions as the GPU's operations have them.
class PlanBuilder : public GraphPlanner {
 public:
  PlanBuilder(const Graph& graph, const ParameterLayout& parameters, const PlanOptions& options, bool training, Target& target);

  Target& target() const { return target_; }
  ConvolutionRules rules() const { return {options().precision, options().deterministic}; }
  /// The type that activations and their gradients have; logits are float32 where the layer that gives them can.
  DataType type() const { return options().precision == Precision::kBfloat16 ? DataType::kBfloat16 : DataType::kFloat32; }

  /// Makes the output of a node, written now.
  const Value& create_value(int node_index, DataType type, int64_t padded_channels = 0);
  /// Makes the output of a node in the memory of another that is used for the last time now.
  const Value& create_value_in_place(int node_index, int source_index);
  /// The output of a node, read now.
  const Value& read_value(int node_index);
  int64_t gradient_size(int node_index) const { return values_[static_cast<size_t>(node_index)].size(); }
  /// Makes a contribution to the gradient of a node's output, written now.
  BufferId create_gradient(int node_index);

  PlannedReduction reduction(const ReductionSize& size);
  /// After all operations have been planned: the counters of all reductions.
  BufferId add_counters();

 private:
  Target& target_;
  std::vector<Value> values_;  // by node
  int64_t counters_ = 0;
};

}  // namespace dl::cuda
