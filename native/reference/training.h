#pragma once

#include <span>

#include "reference/network.h"

namespace dl::reference {

/// What a step changes. Statistics have no solver's state: theirs stays 0.
struct TrainingState {
  Parameters values;
  Parameters momentum;               // SGD: v
  Parameters first_moment = {};      // Adam: m; all three may be left empty before the first step
  Parameters second_moment = {};     // Adam: v
  std::vector<double> updates = {};  // Adam: t, by tensor
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

  bool adam = false;
  double adam_beta1 = 0.9;
  double adam_beta2 = 0.999;
  double adam_epsilon = 1e-8;
  double weight_decay = 0;
  double max_gradient_norm = 0;                 // 0: off
  std::vector<double> class_weights = {};       // empty: all 1
  std::vector<std::string> frozen_layers = {};  // names
};

struct TrainingResult {
  double loss = 0;
  double loss_multinomial_logistic = 0;
  double loss_regularization = 0;
  double gradient_norm = 0;  // of the trained tensors, before clipping
  double top1_error = 0;
  Parameters gradients;  // dL/dw, the prior's share included, before clipping; 0 in frozen layers
};

/// One step on batch_size * batch_size_multiplier images, cut in order into batch_size_multiplier sub-batches.
TrainingResult train_step(const Graph& graph, TrainingState& state, const Tensor& images, std::span<const int32_t> labels,
                          const TrainingOptions& options);

}  // namespace dl::reference
