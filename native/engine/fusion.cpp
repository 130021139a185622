#include "engine/fusion.h"

#include <algorithm>
#include <limits>

namespace dl {
namespace {

class Fusion {
 public:
  Fusion(const Graph& graph, bool inference) : graph_(graph), inference_(inference) {}

  std::vector<FusedOperation> operations() const {
    std::vector<FusedOperation> operations;
    std::vector<bool> covered(graph_.nodes().size(), false);
    for (int index = 0; index < static_cast<int>(covered.size()); ++index) {
      if (covered[static_cast<size_t>(index)]) continue;
      FusedOperation operation{index, index, std::nullopt, std::nullopt, {}};
      const auto take = [&](int node) {
        operation.output = node;
        covered[static_cast<size_t>(node)] = true;
      };
      const bool convolves = inference_ && is<Convolution>(index);
      if (const auto batch_norm = only_reader<BatchNorm>(index); convolves && batch_norm) {
        operation.batch_norm = batch_norm;
        take(*batch_norm);
      }
      if (convolves || is<BatchNorm>(index)) take_addition_and_activation(operation, take);
      operations.push_back(operation);
    }
    return operations;
  }

 private:
  template <class Take>
  void take_addition_and_activation(FusedOperation& operation, const Take& take) const {
    if (const auto add = only_reader<Add>(operation.output)) {
      const auto& inputs = node(*add).inputs;
      const int other = inputs[0] == operation.output ? inputs[1] : inputs[0];
      // The later of two operations takes the addition: by then the other's output is there.
      if (other < operation.node && (is<BatchNorm>(operation.node) || is_read_last(other, operation.node, *add))) {
        operation.residual = other;
        take(*add);
      }
    }
    if (const auto relu = only_reader<Relu>(operation.output)) {
      operation.activation = to_activation(std::get<Relu>(node(*relu).kind));
      take(*relu);
    }
  }

  /// Whether the addition is the last to read a node's output, after operations that begin before `operation`. Applying, dropout
  /// hands on its input's memory, so that its readers count as well: they are not looked for.
  bool is_read_last(int index, int operation, int add) const {
    const auto& consumers = node(index).consumers;
    return !is<Dropout>(index) && std::all_of(consumers.begin(), consumers.end(), [&](int consumer) {
      return consumer == add || (consumer < operation && !is<Dropout>(consumer));
    });
  }

  const Graph::Node& node(int index) const { return graph_.nodes()[static_cast<size_t>(index)]; }

  template <class Kind>
  bool is(int index) const {
    return std::holds_alternative<Kind>(node(index).kind);
  }

  /// The only reader of a node's output, if it is of the kind wanted.
  template <class Kind>
  std::optional<int> only_reader(int index) const {
    const auto& consumers = node(index).consumers;
    if (consumers.size() != 1 || !is<Kind>(consumers[0])) return std::nullopt;
    return consumers[0];
  }

  const Graph& graph_;
  bool inference_;
};

}  // namespace

Activation to_activation(const Relu& relu) {
  return {true, static_cast<float>(relu.max.value_or(std::numeric_limits<double>::infinity()))};
}

std::vector<FusedOperation> fuse(const Graph& graph) { return Fusion(graph, false).operations(); }

std::vector<FusedOperation> fuse_for_inference(const Graph& graph) { return Fusion(graph, true).operations(); }

}  // namespace dl
