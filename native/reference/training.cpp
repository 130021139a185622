#include "reference/training.h"

#include <algorithm>
#include <cmath>

#include "reference/layers.h"

namespace dl::reference {
namespace {

Tensor slice(const Tensor& images, int64_t first, int64_t count) {
  Tensor part(count, images.c, images.h, images.w);
  for (size_t i = 0; i < part.values.size(); ++i) part.values[i] = images.values.at(images.index(first, 0, 0, 0) + i);
  return part;
}

/// Images whose greatest logit, the first of equal ones, is not that of the label.
int64_t count_errors(const Tensor& logits, std::span<const int32_t> labels) {
  int64_t errors = 0;
  for (int64_t n = 0; n < logits.n; ++n) {
    int64_t best = 0;
    for (int64_t k = 1; k < logits.c; ++k)
      if (logits.at(n, k, 0, 0) > logits.at(n, best, 0, 0)) best = k;
    if (best != labels[n]) ++errors;
  }
  return errors;
}

bool trained(const Graph& graph, size_t t, const TrainingOptions& options) {
  const TensorInfo& info = graph.tensors()[t];
  const auto& frozen = options.frozen_layers;
  return info.role != TensorRole::kStatistic && std::find(frozen.begin(), frozen.end(), info.layer) == frozen.end();
}

// g = gradient, or gradient * max_gradient_norm / (norm + 1e-6) where that is shorter, as torch.nn.utils.clip_grad_norm_ has it
//   SGD:   v <- momentum * v - learning_rate * g;  w <- w - learning_rate * weight_decay * w + v
//   Adam:  m <- beta1 * m + (1 - beta1) * g;  v <- beta2 * v + (1 - beta2) * g^2;  t <- t + 1
//          w <- w - learning_rate * (weight_decay * w + m / (1 - beta1^t) / (sqrt(v / (1 - beta2^t)) + epsilon))
// weight_decay is 0 for biases and for batch norms' scales and shifts
void update(const Graph& graph, TrainingState& state, const TrainingResult& result, const TrainingOptions& options) {
  const bool clipped = options.max_gradient_norm > 0;
  const double scale = clipped ? std::min(1.0, options.max_gradient_norm / (result.gradient_norm + 1e-6)) : 1.0;
  if (options.adam && state.updates.empty()) {
    state.first_moment = state.second_moment = zeros(graph);
    state.updates.resize(graph.tensors().size());
  }
  for (size_t t = 0; t < graph.tensors().size(); ++t) {
    if (!trained(graph, t, options)) continue;
    const double decay = graph.tensors()[t].role == TensorRole::kWeight ? options.learning_rate * options.weight_decay : 0;
    if (options.adam) state.updates[t] += 1;
    for (size_t i = 0; i < state.values[t].size(); ++i) {
      const double g = scale * result.gradients[t][i];
      double& w = state.values[t][i];
      w -= decay * w;
      if (options.adam) {
        double& m = state.first_moment[t][i];
        double& v = state.second_moment[t][i];
        m = options.adam_beta1 * m + (1 - options.adam_beta1) * g;
        v = options.adam_beta2 * v + (1 - options.adam_beta2) * g * g;
        const double mean = m / (1 - std::pow(options.adam_beta1, state.updates[t]));
        const double square = v / (1 - std::pow(options.adam_beta2, state.updates[t]));
        w -= options.learning_rate * mean / (std::sqrt(square) + options.adam_epsilon);
      } else {
        double& v = state.momentum[t][i];
        v = options.momentum * v - options.learning_rate * g;
        w += v;
      }
    }
  }
}

}  // namespace

//   L = L_mn + E,  L_mn = -1/N sum_n c_label log f_label(x_n),  E = weight_prior / 2 * sum over weights w^2
TrainingResult train_step(const Graph& graph, TrainingState& state, const Tensor& images, std::span<const int32_t> labels,
                          const TrainingOptions& options) {
  const int64_t total = options.batch_size * options.batch_size_multiplier;
  TrainingResult result;
  result.gradients = zeros(graph);
  for (int64_t first = 0; first < total; first += options.batch_size) {
    const std::span<const int32_t> part = labels.subspan(first, options.batch_size);
    const SubBatch sub_batch{options.seed, options.step, first, options.frozen_layers};
    const Pass pass = forward(graph, state.values, slice(images, first, options.batch_size), sub_batch, options.storage);
    const Tensor& z = logits(graph, pass);
    result.loss_multinomial_logistic += negative_log_likelihood(z, part, options.class_weights) / static_cast<double>(total);
    result.top1_error += static_cast<double>(count_errors(z, part)) / static_cast<double>(total);
    backward(graph, state.values, pass, part, total, result.gradients, options.storage, options.class_weights);
  }
  double squares = 0;
  for (size_t t = 0; t < graph.tensors().size(); ++t) {
    if (graph.tensors()[t].role != TensorRole::kWeight) continue;
    for (size_t i = 0; i < state.values[t].size(); ++i) {
      const double w = state.values[t][i];
      result.loss_regularization += options.weight_prior / 2 * w * w;
      if (trained(graph, t, options)) result.gradients[t][i] += options.weight_prior * w;
    }
  }
  for (const Values& gradient : result.gradients)
    for (const double g : gradient) squares += g * g;
  result.loss = result.loss_multinomial_logistic + result.loss_regularization;
  result.gradient_norm = std::sqrt(squares);
  update(graph, state, result, options);
  return result;
}

}  // namespace dl::reference
