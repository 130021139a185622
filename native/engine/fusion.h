#pragma once

#include <optional>
#include <vector>

#include "engine/graph.h"

namespace dl {

/// What a backend computes at once: one layer, or a batch norm with the addition and the ReLU that follow it and are its only
/// readers.
struct FusedOperation {
  int node;                        // the layer, the batch norm where several are fused
  int output;                      // the node whose output this operation gives
  std::optional<int> residual;     // node that is added after a batch norm
  std::optional<Relu> activation;  // after a batch norm (and the addition)
};

/// The graph's layers as operations, in an order in which each reads only what operations before it gave.
std::vector<FusedOperation> fuse(const Graph& graph);

}  // namespace dl
