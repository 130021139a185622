#pragma once

#include "engine/model.h"
#include "reference/training.h"
#include "test/batch.h"

namespace dl::test {

/// The engine and the float64 reference side by side: the same network, weights, batches and options.
class TrainingRun {
 public:
  /// `batch_size` images a step.
  TrainingRun(const std::vector<Layer>& layers, ImageShape input, int64_t batch_size, Solver solver, uint64_t seed);

  /// One step of both by `options`, whose plan, step and multiplier this fills in; the losses and norms must agree. Returns the
  /// engine's result.
  StepResult step(TrainOptions options, int64_t batch_size_multiplier = 1);
  /// Values and solver's state must agree: |engine - reference| / |reference| over all tensors together.
  void check_agreement(double values, double state) const;

  Model& model() { return model_; }
  const reference::TrainingState& reference() const { return state_; }
  /// The next step's batch.
  Batch batch() const;

 private:
  Model model_;
  reference::TrainingState state_;
  int64_t batch_size_;
  uint64_t seed_;
  uint64_t step_ = 0;
};

/// |a - b| / |b| over all values of all tensors, Euclidean; |a - b| where b is 0.
double relative_distance(const reference::Parameters& a, const reference::Parameters& b);

}  // namespace dl::test
