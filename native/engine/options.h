#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "engine/graph.h"
#include "engine/image_batch.h"
#include "engine/step_profile.h"

namespace dl {

class UpcomingBatches;

/// Arithmetic of convolutions and fully connected layers. kTf32, on GPUs alone: activations in float32, products of their upper
/// 19 bits.
enum class Precision { kFloat32, kTf32, kBfloat16 };

/// What decides about plans, their memory and the arithmetic.
struct PlanOptions {
  int64_t batch_size = 1;
  Precision precision = Precision::kFloat32;
  bool deterministic = false;
  /// Names of layers whose tensors training leaves as they are; nothing is computed backward for them, nor below the lowest of
  /// the others. Their batch norms take the stored statistics. Without effect on applying.
  std::vector<std::string> frozen_layers = {};

  bool operator==(const PlanOptions&) const = default;
};

/// Whether training leaves this layer's tensors as they are.
inline bool is_frozen(const PlanOptions& options, const std::string& layer) {
  return std::find(options.frozen_layers.begin(), options.frozen_layers.end(), layer) != options.frozen_layers.end();
}

struct TrainOptions {
  PlanOptions plan;
  int64_t batch_size_multiplier = 1;
  double learning_rate = 0.001;
  double momentum = 0.9;
  double weight_prior = 0;
  uint64_t step = 0;  // steps applied before this one

  double weight_decay = 0;
  double adam_beta1 = 0.9;
  double adam_beta2 = 0.999;
  double adam_epsilon = 1e-8;
  double max_gradient_norm = 0;            // 0: no clipping
  std::vector<double> class_weights = {};  // one a class; empty: all 1

  UpcomingBatches* upcoming = nullptr;  // whose pixels a GPU fetches while it computes
  StepProfile* profile = nullptr;       // the seconds of each layer are added to it
};

struct StepResult {
  double loss = 0;
  double loss_multinomial_logistic = 0;
  double loss_regularization = 0;
  double gradient_norm = 0;  // of dL/dw over the tensors that are not frozen, before clipping
  double top1_error = 0;
  double forward_seconds = 0;
  double backward_seconds = 0;
  double update_seconds = 0;
};

struct MemoryPlan {
  int64_t parameter_bytes = 0;
  int64_t training_bytes = 0;
  int64_t inference_bytes = 0;
};

}  // namespace dl
