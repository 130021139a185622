#include "cuda/tensor_order.h"

namespace dl::cuda {

std::vector<TensorOrder> tensor_orders(const Graph& graph) {
  std::vector<TensorOrder> orders(graph.tensors().size());
  for (size_t t = 0; t < orders.size(); ++t) {
    const std::vector<int64_t>& shape = graph.tensors()[t].shape;
    orders[t] = {shape[0], graph.tensors()[t].size() / shape[0], 1};
    if (shape.size() == 4) orders[t] = {shape[0], shape[1], shape[2] * shape[3]};
  }
  for (const Graph::Node& node : graph.nodes()) {
    if (!std::holds_alternative<FullyConnected>(node.kind)) continue;
    const ImageShape& in = graph.nodes()[static_cast<size_t>(node.inputs[0])].shape;
    orders[static_cast<size_t>(node.tensors[0])] = {node.shape.channels, in.channels, in.height * in.width};
  }
  return orders;
}

}  // namespace dl::cuda
