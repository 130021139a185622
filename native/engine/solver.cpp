#include "engine/solver.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "engine/step_rule.h"

namespace dl {
namespace {

constexpr std::array<SolverPart, 1> kSgdParts{{{TensorRole::kMomentum, false}}};
constexpr std::array<SolverPart, 3> kAdamParts{
    {{TensorRole::kFirstMoment, false}, {TensorRole::kSecondMoment, false}, {TensorRole::kUpdateCount, true}}};

}  // namespace

std::span<const SolverPart> parts_of(Solver solver) {
  if (solver == Solver::kAdam) return kAdamParts;
  return kSgdParts;
}

bool is_solver_role(TensorRole role) {
  return role != TensorRole::kWeight && role != TensorRole::kBias && role != TensorRole::kStatistic;
}

bool solver_allows(TensorRole role, float value) {
  switch (role) {
    case TensorRole::kFirstMoment:
      return std::abs(value) <= kLargestGradient;
    case TensorRole::kSecondMoment:
      return value >= 0 && value <= kLargestGradient * kLargestGradient;
    case TensorRole::kUpdateCount:
      return value >= 0 && value <= kMostUpdates && std::trunc(value) == value;
    default:
      return true;
  }
}

double AdamCorrections::factor(double epsilon) const {
  return step.empty() ? 0 : static_cast<double>(*std::max_element(step.begin(), step.end())) / epsilon;
}

AdamCorrections adam_corrections(const Graph& graph, std::span<const float> updates, const TrainOptions& options) {
  const size_t count = graph.tensors().size();
  AdamCorrections corrections{std::vector<float>(count), std::vector<float>(count), std::vector<float>(count)};
  for (size_t t = 0; t < count; ++t) {
    const TensorInfo& tensor = graph.tensors()[t];
    if (tensor.role == TensorRole::kStatistic || is_frozen(options.plan, tensor.layer)) continue;
    corrections.updates[t] = std::min(updates[t] + 1, kMostUpdates);
    const auto times = static_cast<double>(corrections.updates[t]);
    corrections.step[t] = static_cast<float>(options.learning_rate / (1 - std::pow(options.adam_beta1, times)));
    corrections.root[t] = static_cast<float>(1 / std::sqrt(1 - std::pow(options.adam_beta2, times)));
  }
  return corrections;
}

}  // namespace dl
