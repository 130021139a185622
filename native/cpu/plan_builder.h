#pragma once

#include <vector>

#include "cpu/layout.h"
#include "cpu/onednn.h"
#include "cpu/operation.h"
#include "engine/graph_planner.h"

namespace dl::cpu {

/// Bytes of so many float32 values.
inline int64_t float_bytes(int64_t values) { return values * static_cast<int64_t>(sizeof(float)); }

/// An activation of one batch.
struct Value {
  Layout layout;
  DataType type = DataType::kFloat32;
  BufferId buffer = -1;

  int64_t bytes() const { return layout.size() * bytes_of(type); }
};

/// A GraphPlanner with activations as the CPU's operations have them.
class PlanBuilder : public GraphPlanner {
 public:
  PlanBuilder(const Graph& graph, const ParameterLayout& parameters, const PlanOptions& options, bool training, Order order);

  /// The type that activations and their gradients have; logits are float32.
  DataType type() const { return options().precision == Precision::kBfloat16 ? DataType::kBfloat16 : DataType::kFloat32; }
  /// How the activation of a node lies in memory.
  Layout layout(const ImageShape& shape) const;

  /// Makes the output of a node, written now.
  const Value& create_value(int node_index, Layout layout, DataType type);
  /// Makes the output of a convolution with what is fused into it: in the memory of what it adds, where it adds something.
  const Value& create_output(const FusedOperation& operation, Layout layout, DataType type);
  /// Makes the output of a node in the memory of another that is used for the last time now.
  const Value& create_value_in_place(int node_index, int source_index);
  /// The output of a node, read now.
  const Value& read_value(int node_index);
  const Layout& layout_of(int node_index) const { return values_[static_cast<size_t>(node_index)].layout; }
  /// Memory for this operation's load_weights() alone, which runs before any activation is there. Called in the forward half.
  BufferId loading_scratch(int64_t bytes) { return arena().add(bytes, -1 - now()); }
  /// Makes a contribution to the gradient of a node's output, written now.
  BufferId create_gradient(int node_index);

 private:
  const Order order_;
  std::vector<Value> values_;  // by node
};

}  // namespace dl::cpu
