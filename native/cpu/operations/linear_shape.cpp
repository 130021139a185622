#include "cpu/operations/linear_shape.h"

namespace dl::cpu {
LinearShape linear_shape(const PlanBuilder& builder, const FusedOperation& operation, const Layout& in, DataType in_type) {
  const Graph::Node& node = builder.node(operation.node);
  LinearShape shape{
      .in = in,
      .out = builder.layout(node.shape),
      .weights = {},
      .stride = {},
      .padding = {},
      .bias = false,
      .adds = operation.residual.has_value(),
      .activation = operation.activation,
      .in_type = in_type,
      .out_type = builder.gives_logits(operation.output) && !operation.residual ? DataType::kFloat32 : builder.type(),
      .gradient_type = builder.type()};
  if (const auto* convolution = std::get_if<Convolution>(&node.kind)) {
    const int64_t groups = convolution->groups;
    shape.weights = {node.shape.channels / groups, in.channels / groups, convolution->kernel[0], convolution->kernel[1]};
    if (groups > 1) shape.weights.insert(shape.weights.begin(), groups);
    shape.stride = {convolution->stride[0], convolution->stride[1]};
    shape.padding = {convolution->padding[0], convolution->padding[1]};
    shape.bias = convolution->bias || operation.batch_norm;
  } else {
    shape.weights = {node.shape.channels, in.channels * in.height * in.width};
    shape.bias = std::get<FullyConnected>(node.kind).bias;
  }
  return shape;
}

}  // namespace dl::cpu
