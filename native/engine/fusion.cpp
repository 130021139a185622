#include "engine/fusion.h"

namespace dl {

std::vector<FusedOperation> fuse(const Graph& graph) {
  const auto& nodes = graph.nodes();
  const auto node_at = [&](int index) -> const Graph::Node& { return nodes[static_cast<size_t>(index)]; };
  /// The only reader of a node's output, if it is of the kind wanted.
  const auto only_reader = [&](int index, auto kind) -> std::optional<int> {
    const auto& consumers = node_at(index).consumers;
    if (consumers.size() != 1 || !std::holds_alternative<decltype(kind)>(node_at(consumers[0]).kind)) return std::nullopt;
    return consumers[0];
  };

  std::vector<FusedOperation> operations;
  std::vector<bool> covered(nodes.size(), false);
  for (int index = 0; index < static_cast<int>(nodes.size()); ++index) {
    if (covered[static_cast<size_t>(index)]) continue;
    FusedOperation operation{index, index, std::nullopt, std::nullopt};
    if (std::holds_alternative<BatchNorm>(node_at(index).kind)) {
      if (const auto add = only_reader(index, Add{})) {
        const auto& inputs = node_at(*add).inputs;
        const int other = inputs[0] == index ? inputs[1] : inputs[0];
        // The later of two batch norms takes the addition: by then the other's output is there.
        if (other < index) {
          operation.residual = other;
          operation.output = *add;
        }
      }
      if (const auto relu = only_reader(operation.output, Relu{})) {
        operation.activation = std::get<Relu>(node_at(*relu).kind);
        operation.output = *relu;
      }
      if (operation.residual) covered[static_cast<size_t>(only_reader(index, Add{}).value())] = true;
      if (operation.activation) covered[static_cast<size_t>(operation.output)] = true;
    }
    operations.push_back(operation);
  }
  return operations;
}

}  // namespace dl
