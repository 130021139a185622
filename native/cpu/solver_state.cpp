#include "cpu/solver_state.h"

namespace dl::cpu {
namespace {

int64_t arrays_of(Solver solver) { return solver == Solver::kAdam ? 2 : 1; }

int64_t counts_of(const Graph& graph, Solver solver) {
  return solver == Solver::kAdam ? static_cast<int64_t>(graph.tensors().size()) : 0;
}

}  // namespace

SolverState::SolverState(const ParameterLayout& layout, const Graph& graph, Solver solver)
    : solver_(solver),
      bytes_(bytes_of(layout, graph, solver)),
      trained_size_(layout.trained_size()),
      memory_(arrays_of(solver) * trained_size_ * static_cast<int64_t>(sizeof(float))),
      updates_(static_cast<size_t>(counts_of(graph, solver))) {
  for (size_t t = 0; t < graph.tensors().size(); ++t)
    extents_.push_back({layout.offset(static_cast<int>(t)), graph.tensors()[t].size()});
}

std::span<float> SolverState::values(TensorRole role, int tensor) {
  const auto index = static_cast<size_t>(tensor);
  if (role == TensorRole::kUpdateCount) return updates().subspan(index, 1);
  float* array = role == TensorRole::kSecondMoment ? second() : first();
  return {array + extents_[index].offset, static_cast<size_t>(extents_[index].size)};
}

int64_t SolverState::bytes_of(const ParameterLayout& layout, const Graph& graph, Solver solver) {
  return (arrays_of(solver) * layout.trained_size() + counts_of(graph, solver)) * static_cast<int64_t>(sizeof(float));
}

}  // namespace dl::cpu
