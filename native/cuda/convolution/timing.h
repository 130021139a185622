#pragma once

#include <optional>

#include "cuda/convolution/execution_plan.h"
#include "cuda/handles.h"

namespace dl::cuda {

/// Seconds of one execution on the compute stream: the least mean of several short runs after one that warms up. Nothing where
/// the plan does not run.
std::optional<double> seconds_of(const ExecutionPlan& plan, const Handles& handles);

}  // namespace dl::cuda
