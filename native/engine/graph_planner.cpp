#include "engine/graph_planner.h"

#include <algorithm>
#include <utility>

namespace dl {

GraphPlanner::GraphPlanner(const Graph& graph, const ParameterLayout& parameters, const PlanOptions& options, bool training,
                           std::vector<FusedOperation> operations, int64_t alignment)
    : graph_(graph),
      parameters_(parameters),
      options_(options),
      training_(training),
      operations_(std::move(operations)),
      arena_(alignment),
      frozen_(graph.nodes().size(), false),
      wants_gradient_(graph.nodes().size(), false),
      producer_(graph.nodes().size(), -1),
      gradients_(graph.nodes().size()) {
  for (size_t k = 0; k < operations_.size(); ++k) producer_[static_cast<size_t>(operations_[k].output)] = static_cast<int>(k);
  for (size_t i = 0; training && i < graph.nodes().size(); ++i) {
    const Graph::Node& node = graph.nodes()[i];
    frozen_[i] = is_frozen(options, node.name);
    const auto wanted = [&](int input) { return wants_gradient(input); };
    wants_gradient_[i] = (!node.tensors.empty() && !frozen_[i]) || std::any_of(node.inputs.begin(), node.inputs.end(), wanted);
  }
}

bool GraphPlanner::gives_logits(int node_index) const {
  const auto& consumers = node(node_index).consumers;
  return consumers.size() == 1 && std::holds_alternative<Softmax>(node(consumers[0]).kind);
}

bool GraphPlanner::has_one_reader(int node_index) const {
  const Graph::Node& reader = node(node_index);
  if (reader.consumers.size() != 1) return false;
  // Applying, dropout hands on its input's memory.
  return !std::holds_alternative<Dropout>(reader.kind) || has_one_reader(reader.inputs[0]);
}

bool GraphPlanner::runs_backward(int operation) const {
  const int output = operations_[static_cast<size_t>(operation)].output;
  return training_ && (wants_gradient(output) || std::holds_alternative<Softmax>(node(output).kind));
}

void GraphPlanner::begin(int operation, bool backward) {
  operation_ = operation;
  now_ = backward ? backward_time(operation) : operation;
}

BufferId GraphPlanner::saved(int64_t bytes) {
  const BufferId buffer = arena_.add(bytes, now_);
  keep_for_backward(buffer);
  return buffer;
}

void GraphPlanner::keep_for_backward(BufferId buffer) {
  if (runs_backward(operation_)) arena_.use(buffer, backward_time(operation_));
}

bool GraphPlanner::can_overwrite(BufferId buffer) const {
  const auto index = static_cast<size_t>(buffer);
  const bool shared = index < gradient_owners_.size() && gradient_owners_[index] > 0;
  return arena_.last_use(buffer) <= now_ && !shared;
}

std::vector<BufferId> GraphPlanner::read_gradient(int node_index) {
  const auto& contributions = gradients_[static_cast<size_t>(node_index)];
  for (const BufferId buffer : contributions) {
    arena_.use(buffer, now_);
    --gradient_owners_[static_cast<size_t>(buffer)];
  }
  return contributions;
}

void GraphPlanner::give_gradient(int node_index, BufferId buffer) {
  gradients_[static_cast<size_t>(node_index)].push_back(buffer);
  if (gradient_owners_.size() <= static_cast<size_t>(buffer)) gradient_owners_.resize(static_cast<size_t>(buffer) + 1, 0);
  ++gradient_owners_[static_cast<size_t>(buffer)];
  arena_.use(buffer, backward_time(producer_[static_cast<size_t>(node_index)]));
}

bool GraphPlanner::can_sum_in_place(const std::vector<BufferId>& contributions) const {
  const BufferId first = contributions.front();
  const bool again =
      contributions.size() > 2 && std::find(contributions.begin() + 2, contributions.end(), first) != contributions.end();
  return can_overwrite(first) && !again;
}

std::optional<BufferId> GraphPlanner::gradient_to_add_to(int node_index, BufferId operand) {
  for (const BufferId buffer : gradients_[static_cast<size_t>(node_index)]) {
    if (buffer == operand || gradient_owners_[static_cast<size_t>(buffer)] != 1) continue;
    arena_.use(buffer, now_);
    return buffer;
  }
  return std::nullopt;
}

}  // namespace dl
