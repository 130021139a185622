#pragma once

#include <span>
#include <string>
#include <vector>

#include "engine/graph.h"
#include "reference/storage.h"
#include "reference/tensor.h"

namespace dl::reference {

/// One list of values for each tensor of a graph, in the order of Graph::tensors().
using Parameters = std::vector<Values>;

/// Zeros, in the shapes of the graph's tensors.
Parameters zeros(const Graph& graph);

/// Which sub-batch of which step: decides the dropout masks.
struct SubBatch {
  uint64_t seed = 0;
  uint64_t step = 0;
  int64_t first_image = 0;
  std::vector<std::string> frozen_layers = {};  // their batch norms take the stored statistics
};

/// What a forward pass in training keeps for the way back; one entry a node.
struct Pass {
  std::vector<Tensor> outputs;  // of the softmax layer: the confidences
  std::vector<Tensor> masks;    // of dropout layers, others empty
  std::vector<bool> frozen;
};

/// Forward in training mode. Moves the running statistics among `parameters`. Images (N, C, H, W) with values in -127..128.
Pass forward(const Graph& graph, Parameters& parameters, const Tensor& images, const SubBatch& sub_batch,
             Storage storage = Storage::kFloat64);

/// Logits of a pass: what the softmax layer reads.
const Tensor& logits(const Graph& graph, const Pass& pass);

/// Adds to `gradients` the gradient of the data term of these images, a mean over `total_images`. Frozen layers get none.
void backward(const Graph& graph, const Parameters& parameters, const Pass& pass, std::span<const int32_t> labels,
              int64_t total_images, Parameters& gradients, Storage storage = Storage::kFloat64,
              std::span<const double> class_weights = {});

/// Confidences (N, classes, 1, 1) in applying mode: running statistics, no dropout.
Tensor apply(const Graph& graph, const Parameters& parameters, const Tensor& images, Storage storage = Storage::kFloat64);

}  // namespace dl::reference
