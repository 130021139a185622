#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "engine/device.h"
#include "engine/graph.h"
#include "engine/options.h"
#include "engine/solver.h"

namespace dl {

/// What a model of this graph holds on this device with these options and this solver; nothing is allocated. Throws as
/// Model::plan_memory does.
MemoryPlan plan_memory(Device& device, const Graph& graph, const PlanOptions& options, Solver solver);

/// A tensor's values on the host. A part of the solver's state that belongs to `x` has the name `x` and a role of its own.
struct NamedTensor {
  std::string name;
  TensorRole role = TensorRole::kWeight;
  std::vector<int64_t> shape;
  std::vector<float> values;
};

/// How a model changes its graph.
struct ReshapeOptions {
  std::vector<std::string> reinitialize;           // names of layers that begin anew in any case
  uint64_t seed = 0;                               // of what begins anew
  std::optional<Solver> solver = std::nullopt;     // another rule of training, whose state begins at 0
  std::optional<PlanOptions> plan = std::nullopt;  // allocate the plans of these options as well
};

/// One network with its weights, its optimiser's state and its plans, on one device. Not thread-safe: the device's thread alone.
/// Every method that throws dl::Error has changed nothing.
class Model {
 public:
  /// Weights by He initialisation from `seed`, biases 0, batch norms 1 and 0, statistics 0 and 1.
  Model(Device& device, const std::vector<Layer>& layers, ImageShape input, uint64_t seed);
  ~Model();
  Model(const Model&) = delete;
  Model& operator=(const Model&) = delete;

  const Graph& graph() const;
  /// Bytes held now, parameters and plans.
  int64_t memory_bytes() const;
  /// What the options would need, without allocating it.
  MemoryPlan plan_memory(const PlanOptions& options) const;
  /// Allocates the training plan and the inference plan of these options now.
  void prepare(const PlanOptions& options);
  /// Another rule of training; its state begins at 0. Does nothing where the solver is this one already. Throws kOutOfMemory.
  void set_solver(Solver solver);
  /// One optimisation step; labels are class indices, one an image.
  ///   L = -1/N * sum_n c_n * log f(x_n) + weight_prior / 2 * sum w^2,   c_n the class weight of image n's label
  ///   g = dL/dw * min(1, max_gradient_norm / (|dL/dw| + 1e-6)),   |.| over all tensors that are not frozen
  ///   SGD:   v <- momentum * v - learning_rate * g,   w <- w + v - learning_rate * weight_decay * w
  ///   Adam:  m <- beta1 * m + (1 - beta1) * g,   v <- beta2 * v + (1 - beta2) * g^2,   t <- t + 1
  ///          w <- w - learning_rate * (m / (1 - beta1^t) / (sqrt(v / (1 - beta2^t)) + epsilon) + weight_decay * w)
  /// Prior and decay concern weights alone, neither biases nor batch norms' scales and shifts. Adam's t counts by tensor.
  StepResult train(const ImageBatch& images, std::span<const int32_t> labels, const TrainOptions& options);
  /// Confidences (count, classes).
  std::vector<float> apply(const ImageBatch& images, const PlanOptions& options);
  /// All tensors and the solver's state.
  std::vector<NamedTensor> snapshot() const;
  /// Overwrites the tensors named; all are checked first (kInvalidArgument).
  void restore(const std::vector<NamedTensor>& tensors);
  /// Changes graph and input size; see Model.reshape in native/binding.ts. Returns the names of the layers initialised anew.
  /// Holds the old values beside the new ones until all has succeeded.
  std::vector<std::string> reshape(const std::vector<Layer>& layers, ImageShape input, const ReshapeOptions& options);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace dl
