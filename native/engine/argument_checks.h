#pragma once

#include <string>

#include "engine/device.h"
#include "engine/graph.h"
#include "engine/options.h"
#include "engine/solver.h"

namespace dl {

struct NamedTensor;

/// Throws kInvalidArgument, with `argument` in the metadata.
[[noreturn]] void refuse(const std::string& argument, const std::string& problem);

// What does not depend on the device is checked here, once for all of them. Each throws kInvalidArgument.

void check(const TrainOptions& options);

/// Throws kOutOfMemory, too, for an activation that no machine can hold.
void check(const PlanOptions& options, const Graph& graph, const DeviceInfo& device);

/// Whether a tensor to restore fits the graph's tensor of its name; `solver` is the one whose state may be restored.
void check(const NamedTensor& tensor, const TensorInfo& info, Solver solver);

}  // namespace dl
