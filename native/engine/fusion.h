#pragma once

#include <optional>
#include <vector>

#include "engine/activation.h"
#include "engine/graph.h"

namespace dl {

/// What a backend computes at once: one layer, or a batch norm or a convolution with layers that follow it and are its only
/// readers.
struct FusedOperation {
  int node;                       // the layer; where several are fused, the first of them
  int output;                     // the node whose output this operation gives
  std::optional<int> batch_norm;  // node after a convolution: an affine map of its channels, as nobody trains it
  std::optional<int> residual;    // node that is added after that
  Activation activation;          // after that
};

Activation to_activation(const Relu& relu);

/// The graph's layers as operations, in an order in which each reads only what operations before it gave: batch norms take the
/// addition and the ReLU behind them.
std::vector<FusedOperation> fuse(const Graph& graph);

/// The same for applying: convolutions take the batch norm, the addition and the ReLU behind them. What a convolution adds is
/// read by nobody later, so that the sum may take its place in memory.
std::vector<FusedOperation> fuse_for_inference(const Graph& graph);

}  // namespace dl
