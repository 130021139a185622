#include "cuda/operations/operations.h"

namespace dl::cuda {

std::unique_ptr<Operation> make_operation(PlanBuilder& builder, const FusedOperation& operation) {
  struct Make {
    PlanBuilder& builder;
    const FusedOperation& operation;

    auto operator()(const Input&) const { return make_input(builder, operation); }
    auto operator()(const Convolution&) const { return make_convolution(builder, operation); }
    auto operator()(const BatchNorm&) const { return make_normalization(builder, operation); }
    auto operator()(const Relu&) const { return make_relu(builder, operation); }
    auto operator()(const Add&) const { return make_addition(builder, operation); }
    auto operator()(const Concat&) const { return make_concatenation(builder, operation); }
    auto operator()(const Pool&) const { return make_pool(builder, operation); }
    auto operator()(const GlobalAveragePool&) const { return make_global_average_pool(builder, operation); }
    auto operator()(const Dropout&) const { return make_dropout(builder, operation); }
    auto operator()(const FullyConnected&) const { return make_fully_connected(builder, operation); }
    auto operator()(const Softmax&) const { return make_softmax(builder, operation); }
  };
  return std::visit(Make{builder, operation}, builder.node(operation.node).kind);
}

}  // namespace dl::cuda
