#pragma once

#include <span>

#include "reference/network.h"

namespace dl::reference {

/// What a step changes.
struct TrainingState {
  Parameters values;
  Parameters momentum;  // v; statistics have none and stay 0
};

struct TrainingOptions {
  int64_t batch_size = 1;
  int64_t batch_size_multiplier = 1;
  double learning_rate = 0.001;
  double momentum = 0.9;
  double weight_prior = 0;
  uint64_t seed = 0;
  uint64_t step = 0;
  Storage storage = Storage::kFloat64;
};

struct TrainingResult {
  double loss = 0;
  double loss_multinomial_logistic = 0;
  double loss_regularization = 0;
  double gradient_norm = 0;
  double top1_error = 0;
  Parameters gradients;  // dL/dw, the prior's share included
};

/// One step on batch_size * batch_size_multiplier images, cut in order into batch_size_multiplier sub-batches.
TrainingResult train_step(const Graph& graph, TrainingState& state, const Tensor& images, std::span<const int32_t> labels,
                          const TrainingOptions& options);

}  // namespace dl::reference
