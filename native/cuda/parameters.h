#pragma once

#include <functional>
#include <span>
#include <vector>

#include "cuda/handles.h"
#include "cuda/plan.h"
#include "cuda/runtime/memory.h"
#include "cuda/runtime/transfer.h"
#include "cuda/tensor_order.h"
#include "engine/parameters.h"
#include "engine/solver.h"

namespace dl::cuda {

/// A network's values and its solver's state on the device. Reading and writing go by torchvision's order of values.
class Parameters {
 public:
  /// All zero. Throws kOutOfMemory.
  Parameters(const Graph& graph, Solver solver, const Handles& handles, Transfer& transfer);

  /// Bytes of device memory.
  static int64_t bytes_of(const Graph& graph, Solver solver);
  int64_t bytes() const { return values_.bytes() + moments_.bytes() + scratch_.bytes(); }

  const ParameterLayout& layout() const { return layout_; }
  Solver solver() const { return solver_; }
  /// Another solver, whose state is 0. Throws kOutOfMemory.
  void set_solver(Solver solver);
  /// Adam: updates since the moments were 0, by tensor.
  std::span<float> updates() { return updates_; }
  ModelMemory memory() const;

  std::vector<float> read(int tensor, TensorRole role) const;
  void write(int tensor, TensorRole role, const std::function<void(std::span<float>)>& fill);

 private:
  /// Where the values lie on the device; not for update counts.
  float* place(int tensor, TensorRole role) const;
  /// Calls move(first filter, filters) for pieces of the tensor that fit the scratch memory.
  template <class Move>
  void by_pieces(const TensorOrder& order, const Move& move) const;

  const Graph& graph_;
  const Handles& handles_;
  Transfer& transfer_;
  ParameterLayout layout_;
  std::vector<TensorOrder> orders_;
  Solver solver_;
  DeviceMemory values_;
  DeviceMemory moments_;  // first, then second
  DeviceMemory scratch_;  // values on their way from one order to the other
  std::vector<float> updates_;
};

}  // namespace dl::cuda
