#pragma once

#include <limits>
#include <optional>

#include "cuda/convolution/execution_plan.h"
#include "cuda/handles.h"

namespace dl::cuda {

/// Seconds of one execution on the compute stream: the least mean of several short runs after one that warms up, of only one
/// where that is far above `least_so_far`. Nothing where the plan does not run.
std::optional<double> seconds_of(const ExecutionPlan& plan, const Handles& handles,
                                 double least_so_far = std::numeric_limits<double>::infinity());

}  // namespace dl::cuda
