#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "engine/graph.h"
#include "engine/host_memory.h"
#include "engine/parameters.h"

namespace dl {

/// The rule that turns gradients into new weights; Model::train has the formulas.
enum class Solver { kSgd, kAdam };

/// A part of a solver's state that belongs to one tensor.
struct SolverPart {
  TensorRole role;
  bool scalar;  // one value; else as many as the tensor has
};

/// SGD: the momentum. Adam: the first and the second moment and the number of updates that they have seen.
std::span<const SolverPart> parts_of(Solver solver);

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
  /// Adam: updates since the moments were 0, by tensor of the graph. Counts to kMostUpdates, which stands for more.
  std::span<float> updates() { return updates_; }
  /// The values of one part for one tensor of the graph; the part is one of the solver's.
  std::span<float> values(TensorRole role, int tensor);
  int64_t bytes() const { return bytes_; }
  /// Bytes that the state of this layout holds.
  static int64_t bytes_of(const ParameterLayout& layout, const Graph& graph, Solver solver);

  /// Whether training can leave this value in a part of the state; true for other roles. Others could make weights that are not
  /// numbers.
  static bool allows(TensorRole role, float value);

  /// The largest whole number up to which float32 has all. With so many updates the corrections 1 - beta^t are 1 to float32's
  /// precision for each beta up to 1 - 1e-6.
  static constexpr float kMostUpdates = 16777216.0f;
  /// Of the gradients that Adam takes; their squares and the first moments stay far from float32's ends.
  static constexpr float kLargestGradient = 1e15f;

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

}  // namespace dl
