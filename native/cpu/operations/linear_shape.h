#pragma once

#include "cpu/onednn.h"
#include "cpu/plan_builder.h"

namespace dl::cpu {

/// What oneDNN needs to know of a convolution or fully connected layer whose input has this layout.
LinearShape linear_shape(const PlanBuilder& builder, int node_index, const Layout& in, DataType in_type);

}  // namespace dl::cpu
