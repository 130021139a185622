#pragma once

#include "cpu/onednn.h"
#include "cpu/plan_builder.h"

namespace dl::cpu {

/// A convolution or fully connected layer whose input has this layout, with what it takes of the layers behind it.
LinearShape linear_shape(const PlanBuilder& builder, const FusedOperation& operation, const Layout& in, DataType in_type);

}  // namespace dl::cpu
