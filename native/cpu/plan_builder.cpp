#include "cpu/plan_builder.h"

namespace dl::cpu {

PlanBuilder::PlanBuilder(const Graph& graph, const ParameterLayout& parameters, const PlanOptions& options, bool training,
                         Order order)
    : GraphPlanner(graph, parameters, options, training, training ? fuse(graph) : fuse_for_inference(graph),
                   ArenaPlan::kAlignment),
      order_(order),
      values_(graph.nodes().size()) {}

Layout PlanBuilder::layout(const ImageShape& shape) const {
  const bool vector = shape.height == 1 && shape.width == 1;
  return {options().batch_size, shape.channels, shape.height, shape.width, vector ? Order::kNhwc : order_};
}

const Value& PlanBuilder::create_value(int node_index, Layout layout, DataType type) {
  Value& value = values_[static_cast<size_t>(node_index)];
  value = {layout, type, -1};
  value.buffer = arena().add(value.bytes(), now());
  return value;
}

const Value& PlanBuilder::create_value_in_place(int node_index, int source_index) {
  return values_[static_cast<size_t>(node_index)] = read_value(source_index);
}

const Value& PlanBuilder::create_output(const FusedOperation& operation, Layout layout, DataType type) {
  return operation.residual ? create_value_in_place(operation.output, *operation.residual)
                            : create_value(operation.output, layout, type);
}

const Value& PlanBuilder::read_value(int node_index) {
  const Value& value = values_[static_cast<size_t>(node_index)];
  arena().use(value.buffer, now());
  return value;
}

BufferId PlanBuilder::create_gradient(int node_index) {
  const BufferId buffer = arena().add(layout_of(node_index).size() * bytes_of(type()), now());
  give_gradient(node_index, buffer);
  return buffer;
}

}  // namespace dl::cpu
