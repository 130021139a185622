#pragma once

#include <cstdint>
#include <vector>

#include "engine/graph.h"

namespace dl::cuda {

/// How the device keeps a tensor's values: (filters, positions, channels), where torchvision has (filters, channels, positions).
/// That are the filters of convolutions, positions being height times width of the kernel, and the weights of fully connected
/// layers behind activations of more than one pixel. Other tensors: one position.
struct TensorOrder {
  int64_t filters = 1;
  int64_t channels = 1;
  int64_t positions = 1;

  int64_t filter_size() const { return channels * positions; }
};

/// By tensor of the graph.
std::vector<TensorOrder> tensor_orders(const Graph& graph);

}  // namespace dl::cuda
