#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "engine/arena.h"
#include "engine/fusion.h"
#include "engine/graph.h"
#include "engine/options.h"
#include "engine/parameters.h"

namespace dl {

/// What operations of any device use while they are planned: the graph, gradients, and memory with its lifetimes. Operation k of
/// n runs forward at time k, backward at time 2 n - 1 - k. First all operations plan their forward half in order, then their
/// backward half in reverse order.
class GraphPlanner {
 public:
  /// `operations`: the graph's, as the device fuses them.
  GraphPlanner(const Graph& graph, const ParameterLayout& parameters, const PlanOptions& options, bool training,
               std::vector<FusedOperation> operations, int64_t alignment);
  GraphPlanner(const GraphPlanner&) = delete;
  GraphPlanner& operator=(const GraphPlanner&) = delete;

  const Graph& graph() const { return graph_; }
  const Graph::Node& node(int index) const { return graph_.nodes()[static_cast<size_t>(index)]; }
  const PlanOptions& options() const { return options_; }
  bool training() const { return training_; }
  const std::vector<FusedOperation>& operations() const { return operations_; }
  ArenaPlan& arena() { return arena_; }
  /// Offset of the t-th tensor of a node in the flat parameters.
  int64_t parameter(int node_index, size_t t) const { return parameters_.offset(node(node_index).tensors[t]); }

  /// Whether softmax, and nothing else, reads the node's output.
  bool gives_logits(int node_index) const;
  /// Whether the memory of a node's output has one reader in the whole graph.
  bool has_one_reader(int node_index) const;
  /// Whether training leaves the node's tensors as they are.
  bool frozen(int node_index) const { return frozen_[static_cast<size_t>(node_index)]; }
  /// Whether anybody needs the gradient of a node's output: the node itself or one that it depends on has tensors to train.
  bool wants_gradient(int node_index) const { return wants_gradient_[static_cast<size_t>(node_index)]; }
  /// Whether an operation has a backward half: its output's gradient is wanted, or it is the one that gives the loss.
  bool runs_backward(int operation) const;

  /// Begins the planning of an operation's forward or backward half.
  void begin(int operation, bool backward);
  int now() const { return now_; }

  /// Memory for the present half alone.
  BufferId scratch(int64_t bytes) { return arena_.add(bytes, now_); }
  /// Memory that lives from the forward to the backward half of this operation. Called in the forward half.
  BufferId saved(int64_t bytes);
  /// The buffer is read in the backward half of this operation as well. Called in the forward half.
  void keep_for_backward(BufferId buffer);
  /// Whether nobody but the present operation needs the contents of the buffer.
  bool can_overwrite(BufferId buffer) const;

  /// How many contributions the gradient of a node's output has; their sum is the gradient.
  size_t contributions(int node_index) const { return gradients_[static_cast<size_t>(node_index)].size(); }
  /// These contributions. Read now, by the only one who reads them for this node.
  std::vector<BufferId> read_gradient(int node_index);
  /// Makes a contribution of a buffer that holds it already or will hold it before this operation ends.
  void give_gradient(int node_index, BufferId buffer);
  /// Whether contributions that were read can be added up where the first of them lies: nobody but the present operation needs
  /// what is there, nor does it itself once the second has been added.
  bool can_sum_in_place(const std::vector<BufferId>& contributions) const;
  /// A contribution to the gradient of a node's output that is there already and is read for nothing else, not as `operand` of
  /// the present operation either: what is added to it needs no memory of its own and no pass that adds it up. Used now.
  std::optional<BufferId> gradient_to_add_to(int node_index, BufferId operand);

 private:
  int backward_time(int operation) const { return 2 * static_cast<int>(operations_.size()) - 1 - operation; }

  const Graph& graph_;
  const ParameterLayout& parameters_;
  const PlanOptions options_;
  const bool training_;
  const std::vector<FusedOperation> operations_;
  ArenaPlan arena_;
  std::vector<bool> frozen_;                      // by node
  std::vector<bool> wants_gradient_;              // by node
  std::vector<int> producer_;                     // operation that gives the node's output
  std::vector<std::vector<BufferId>> gradients_;  // contributions, by node
  std::vector<int> gradient_owners_;              // by buffer: nodes that will still read it as a contribution
  int operation_ = 0;
  int now_ = 0;
};

}  // namespace dl
