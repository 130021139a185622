#include "engine/argument_checks.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>

#include "engine/error.h"
#include "engine/model.h"

namespace dl {
namespace {

/// So that with a learning rate of any use no step of Adam is beyond what engine/step_rule.h allows.
constexpr double kSmallestAdamEpsilon = 1e-15;

/// Values of one layer's output for a whole batch. No machine holds more, and below it no sum of sizes overflows.
constexpr int64_t kLargestActivation = int64_t{1} << 44;

}  // namespace

void refuse(const std::string& argument, const std::string& problem) {
  throw Error(Reason::kInvalidArgument, argument + ": " + problem, {{"argument", argument}});
}

void check(const TrainOptions& options) {
  const auto require = [](bool condition, const char* argument, const char* rule, double got) {
    if (!condition) refuse(argument, std::string(rule) + ", got " + std::to_string(got));
  };
  require(options.batch_size_multiplier >= 1, "batch_size_multiplier", "is at least 1",
          static_cast<double>(options.batch_size_multiplier));
  require(options.learning_rate > 0 && std::isfinite(options.learning_rate), "learning_rate", "is above 0 and finite",
          options.learning_rate);
  require(options.momentum >= 0 && options.momentum < 1, "momentum", "lies in 0..1, 1 excluded", options.momentum);
  require(options.weight_prior >= 0 && std::isfinite(options.weight_prior), "weight_prior", "is at least 0 and finite",
          options.weight_prior);
  require(options.weight_decay >= 0 && std::isfinite(options.weight_decay), "weight_decay", "is at least 0 and finite",
          options.weight_decay);
  require(options.adam_beta1 >= 0 && options.adam_beta1 < 1, "adam_beta1", "lies in 0..1, 1 excluded", options.adam_beta1);
  require(options.adam_beta2 >= 0 && options.adam_beta2 < 1, "adam_beta2", "lies in 0..1, 1 excluded", options.adam_beta2);
  require(options.adam_epsilon >= kSmallestAdamEpsilon && std::isfinite(options.adam_epsilon), "adam_epsilon",
          "is at least 1e-15 and finite", options.adam_epsilon);
  require(options.max_gradient_norm >= 0 && std::isfinite(options.max_gradient_norm), "max_gradient_norm",
          "is at least 0 and finite", options.max_gradient_norm);
  for (const double weight : options.class_weights)
    require(weight >= 0 && std::isfinite(weight), "class_weights", "are at least 0 and finite", weight);
}

void check(const PlanOptions& options, const Graph& graph, const DeviceInfo& device) {
  const auto& precisions = device.precisions;
  if (std::find(precisions.begin(), precisions.end(), options.precision) == precisions.end())
    refuse("precision", device.name + " does not compute in it");
  if (options.batch_size < 1) refuse("batch_size", "is at least 1, got " + std::to_string(options.batch_size));
  for (const std::string& name : options.frozen_layers) {
    const auto& nodes = graph.nodes();
    const bool known = std::any_of(nodes.begin(), nodes.end(), [&](const Graph::Node& node) { return node.name == name; });
    if (!known) refuse("frozen_layers", "the graph has no layer '" + name + "'");
  }
  for (const Graph::Node& node : graph.nodes()) {
    if (options.batch_size <= kLargestActivation / node.shape.size()) continue;
    const std::string bytes = std::to_string(kLargestActivation * static_cast<int64_t>(sizeof(float)));
    throw Error(Reason::kOutOfMemory, "the output of '" + node.name + "' alone wants more than " + bytes + " bytes",
                {{"bytes", bytes}});
  }
}

void check(const NamedTensor& tensor, const TensorInfo& info, Solver solver) {
  std::vector<int64_t> shape = info.shape;
  if (is_solver_role(tensor.role)) {
    const auto parts = parts_of(solver);
    const auto part = std::find_if(parts.begin(), parts.end(), [&](const SolverPart& p) { return p.role == tensor.role; });
    if (part == parts.end()) refuse(tensor.name, "the solver keeps no such state");
    if (info.role == TensorRole::kStatistic) refuse(tensor.name, "the graph's tensor is not trained and has no such state");
    if (part->scalar) shape.clear();
  } else if (info.role != tensor.role) {
    refuse(tensor.name, "the graph's tensor has another role");
  }
  const auto size = static_cast<size_t>(std::accumulate(shape.begin(), shape.end(), int64_t{1}, std::multiplies<>()));
  if (shape != tensor.shape || tensor.values.size() != size) refuse(tensor.name, "the graph's tensor has another shape");
  for (const float value : tensor.values)
    if (!solver_allows(tensor.role, value)) refuse(tensor.name, "no step of the solver leaves " + std::to_string(value));
}

}  // namespace dl
