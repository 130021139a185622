#pragma once

#include <cstdint>
#include <vector>

#include "engine/graph.h"

namespace dl {

/// Where each tensor of a graph lies in one flat array of float32: trained tensors first, then statistics, each on a 64-byte
/// boundary. The gaps are zero and stay zero.
class ParameterLayout {
 public:
  explicit ParameterLayout(const Graph& graph);

  /// First value of the tensor with this index in Graph::tensors().
  int64_t offset(int tensor) const { return offsets_[static_cast<size_t>(tensor)]; }
  /// Values of the trained tensors, gaps included.
  int64_t trained_size() const { return trained_size_; }
  /// Values of all tensors, gaps included.
  int64_t size() const { return size_; }

 private:
  std::vector<int64_t> offsets_;
  int64_t trained_size_ = 0;
  int64_t size_ = 0;
};

}  // namespace dl
