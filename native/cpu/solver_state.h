#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "engine/graph.h"
#include "engine/host_memory.h"
#include "engine/parameters.h"
#include "engine/solver.h"

namespace dl::cpu {

/// What a solver keeps between two steps for the trained tensors: float32, beginning at 0.
class SolverState {
 public:
  /// Throws kOutOfMemory.
  SolverState(const ParameterLayout& layout, const Graph& graph, Solver solver);

  Solver solver() const { return solver_; }
  /// SGD: v; Adam: m. Offsets as in the flat parameters.
  float* first() const { return memory_.at<float>(0); }
  /// Adam: v.
  float* second() const { return first() + trained_size_; }
  /// Adam: updates since the moments were 0, by tensor of the graph.
  std::span<float> updates() { return updates_; }
  /// The values of one part for one tensor of the graph; the part is one of the solver's.
  std::span<float> values(TensorRole role, int tensor);
  int64_t bytes() const { return bytes_; }
  /// Bytes that the state of this layout holds.
  static int64_t bytes_of(const ParameterLayout& layout, const Graph& graph, Solver solver);

 private:
  struct Extent {
    int64_t offset, size;
  };
  Solver solver_;
  int64_t bytes_;
  int64_t trained_size_;
  std::vector<Extent> extents_;  // by tensor
  HostMemory memory_;            // first, then second
  std::vector<float> updates_;
};

}  // namespace dl::cpu
