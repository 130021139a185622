#pragma once

#include <memory>

#include "cuda/operation.h"
#include "cuda/plan_builder.h"

namespace dl::cuda {

// Each makes one kind of operation and plans its forward half.

std::unique_ptr<Operation> make_input(PlanBuilder& builder, const FusedOperation& operation);
std::unique_ptr<Operation> make_convolution(PlanBuilder& builder, const FusedOperation& operation);
std::unique_ptr<Operation> make_normalization(PlanBuilder& builder, const FusedOperation& operation);
std::unique_ptr<Operation> make_relu(PlanBuilder& builder, const FusedOperation& operation);
std::unique_ptr<Operation> make_addition(PlanBuilder& builder, const FusedOperation& operation);
std::unique_ptr<Operation> make_concatenation(PlanBuilder& builder, const FusedOperation& operation);
std::unique_ptr<Operation> make_pool(PlanBuilder& builder, const FusedOperation& operation);
std::unique_ptr<Operation> make_global_average_pool(PlanBuilder& builder, const FusedOperation& operation);
std::unique_ptr<Operation> make_dropout(PlanBuilder& builder, const FusedOperation& operation);
std::unique_ptr<Operation> make_fully_connected(PlanBuilder& builder, const FusedOperation& operation);
std::unique_ptr<Operation> make_softmax(PlanBuilder& builder, const FusedOperation& operation);

/// The operation of a layer, whatever its kind.
std::unique_ptr<Operation> make_operation(PlanBuilder& builder, const FusedOperation& operation);

/// Makes Made<float> or Made<Bfloat16>, by the plan's precision.
template <template <class> class Made>
std::unique_ptr<Operation> make_typed(PlanBuilder& builder, const FusedOperation& operation) {
  if (builder.type() == DataType::kBfloat16) return std::make_unique<Made<Bfloat16>>(builder, operation);
  return std::make_unique<Made<float>>(builder, operation);
}

}  // namespace dl::cuda
