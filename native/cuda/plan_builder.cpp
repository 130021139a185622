#include "cuda/plan_builder.h"

#include <algorithm>

namespace dl::cuda {

PlanBuilder::PlanBuilder(const Graph& graph, const ParameterLayout& parameters, const PlanOptions& options, bool training,
                         Target& target)
    : GraphPlanner(graph, parameters, options, training, fuse(graph), kArenaAlignment),
      target_(target),
      values_(graph.nodes().size()) {}

const Value& PlanBuilder::create_value(int node_index, DataType type, int64_t padded_channels) {
  Value& value = values_[static_cast<size_t>(node_index)];
  value = {options().batch_size, node(node_index).shape, type, -1};
  value.shape.channels = std::max(value.shape.channels, padded_channels);
  value.buffer = arena().add(value.size() * bytes_of(type), now());
  return value;
}

const Value& PlanBuilder::create_value_in_place(int node_index, int source_index) {
  return values_[static_cast<size_t>(node_index)] = read_value(source_index);
}

const Value& PlanBuilder::read_value(int node_index) {
  const Value& value = values_[static_cast<size_t>(node_index)];
  arena().use(value.buffer, now());
  return value;
}

BufferId PlanBuilder::create_gradient(int node_index) {
  const BufferId buffer = arena().add(gradient_size(node_index) * bytes_of(type()), now());
  give_gradient(node_index, buffer);
  return buffer;
}

PlannedReduction PlanBuilder::reduction(const ReductionSize& size) {
  counters_ = std::max(counters_, size.counters);
  return {size.partial_bytes == 0 ? -1 : scratch(size.partial_bytes)};
}

BufferId PlanBuilder::add_counters() {
  return arena().add_persistent(std::max<int64_t>(counters_, 1) * static_cast<int64_t>(sizeof(uint32_t)));
}

}  // namespace dl::cuda
