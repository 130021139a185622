#pragma once

#include <memory>

#include "cpu/kernels/kernels.h"
#include "cpu/operation.h"
#include "cpu/plan_builder.h"

namespace dl::cpu {

// Each makes one kind of operation and plans its forward half.

std::unique_ptr<Operation> make_input(PlanBuilder& builder, const FusedOperation& operation);
std::unique_ptr<Operation> make_convolution(PlanBuilder& builder, const FusedOperation& operation);
/// Null where Winograd's convolution does not apply or does not pay.
std::unique_ptr<Operation> make_winograd_convolution(PlanBuilder& builder, const FusedOperation& operation);
/// Null where it does not apply.
std::unique_ptr<Operation> make_depthwise_convolution(PlanBuilder& builder, const FusedOperation& operation);
/// Null where another convolution is quicker.
std::unique_ptr<Operation> make_tap_convolution(PlanBuilder& builder, const FusedOperation& operation);
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

}  // namespace dl::cpu
