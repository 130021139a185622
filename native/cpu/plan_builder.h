#pragma once

#include <vector>

#include "cpu/layout.h"
#include "cpu/onednn.h"
#include "cpu/operation.h"
#include "engine/arena.h"
#include "engine/fusion.h"
#include "engine/graph.h"
#include "engine/options.h"
#include "engine/parameters.h"

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

/// What operations use while they are planned: values, gradients and memory with their lifetimes. Operation k of n runs forward
/// at time k, backward at time 2 n - 1 - k. First all operations plan their forward half in order, then their backward half in
/// reverse order.
class PlanBuilder {
 public:
  PlanBuilder(const Graph& graph, const ParameterLayout& parameters, const PlanOptions& options, bool training, Order order);

  const Graph& graph() const { return graph_; }
  const Graph::Node& node(int index) const { return graph_.nodes()[static_cast<size_t>(index)]; }
  const PlanOptions& options() const { return options_; }
  bool training() const { return training_; }
  const std::vector<FusedOperation>& operations() const { return operations_; }
  ArenaPlan& arena() { return arena_; }
  /// Offset of the t-th tensor of a node in the flat parameters.
  int64_t parameter(int node_index, size_t t) const { return parameters_.offset(node(node_index).tensors[t]); }

  /// The type that activations and their gradients have; logits are float32.
  DataType type() const { return options_.precision == Precision::kBfloat16 ? DataType::kBfloat16 : DataType::kFloat32; }
  /// How the activation of a node lies in memory.
  Layout layout(const ImageShape& shape) const;

  /// Whether softmax, and nothing else, reads the node's output.
  bool gives_logits(int node_index) const;

  /// Begins the planning of an operation's forward or backward half.
  void begin(int operation, bool backward);
  int now() const { return now_; }

  /// Makes the output of a node, written now.
  const Value& create_value(int node_index, Layout layout, DataType type);
  /// Makes the output of a node in the memory of another that is used for the last time now.
  const Value& create_value_in_place(int node_index, int source_index);
  /// Whether the memory of a node's output has one reader in the whole graph.
  bool has_one_reader(int node_index) const;
  /// The output of a node, read now.
  const Value& read_value(int node_index);
  const Layout& layout_of(int node_index) const { return values_[static_cast<size_t>(node_index)].layout; }
  /// The output of a node is read in the backward half of this operation as well. Called in the forward half.
  void keep_for_backward(BufferId buffer);
  BufferId scratch(int64_t bytes) { return arena_.add(bytes, now_); }
  /// Memory that lives from the forward to the backward half of this operation. Called in the forward half.
  BufferId saved(int64_t bytes);

  /// Whether training leaves the node's tensors as they are.
  bool frozen(int node_index) const { return frozen_[static_cast<size_t>(node_index)]; }
  /// Whether anybody needs the gradient of a node's output: the node itself or one that it depends on has tensors to train.
  bool wants_gradient(int node_index) const { return wants_gradient_[static_cast<size_t>(node_index)]; }
  /// Whether an operation has a backward half: its output's gradient is wanted, or it is the one that gives the loss.
  bool runs_backward(int operation) const;
  /// The contributions to the gradient of a node's output; their sum is the gradient. Read now. Each belongs to the reader alone
  /// unless shared.
  std::vector<BufferId> read_gradient(int node_index);
  /// Whether nobody but the present operation needs the contents of the buffer.
  bool can_overwrite(BufferId buffer) const;
  /// Makes a contribution to the gradient of a node's output, written now.
  BufferId create_gradient(int node_index);
  /// Makes a contribution of a buffer that holds it already or will hold it before this operation ends.
  void give_gradient(int node_index, BufferId buffer);

 private:
  int backward_time(int operation) const { return 2 * static_cast<int>(operations_.size()) - 1 - operation; }

  const Graph& graph_;
  const ParameterLayout& parameters_;
  const PlanOptions options_;
  const bool training_;
  const Order order_;
  const std::vector<FusedOperation> operations_;
  ArenaPlan arena_;
  std::vector<bool> frozen_;                      // by node
  std::vector<bool> wants_gradient_;              // by node
  std::vector<Value> values_;                     // by node
  std::vector<int> producer_;                     // operation that gives the node's output
  std::vector<std::vector<BufferId>> gradients_;  // contributions, by node
  std::vector<int> gradient_owners_;              // by buffer: values to whose gradient it contributes
  int operation_ = 0;
  int now_ = 0;
};

}  // namespace dl::cpu
