#include "reference/training.h"

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

}  // namespace

//   L = L_mn + E,  L_mn = -1/N sum_n log f_label(x_n),  E = weight_prior / 2 * sum over weights w^2
//   v <- momentum * v - learning_rate * dL/dw,  w <- w + v
TrainingResult train_step(const Graph& graph, TrainingState& state, const Tensor& images, std::span<const int32_t> labels,
                          const TrainingOptions& options) {
  const int64_t total = options.batch_size * options.batch_size_multiplier;
  TrainingResult result;
  result.gradients = zeros(graph);
  for (int64_t first = 0; first < total; first += options.batch_size) {
    const std::span<const int32_t> part = labels.subspan(first, options.batch_size);
    const SubBatch sub_batch{options.seed, options.step, first};
    const Pass pass = forward(graph, state.values, slice(images, first, options.batch_size), sub_batch, options.storage);
    const Tensor& z = logits(graph, pass);
    result.loss_multinomial_logistic += negative_log_likelihood(z, part) / static_cast<double>(total);
    result.top1_error += static_cast<double>(count_errors(z, part)) / static_cast<double>(total);
    backward(graph, state.values, pass, part, total, result.gradients, options.storage);
  }
  double squares = 0;
  for (size_t t = 0; t < graph.tensors().size(); ++t) {
    const TensorRole role = graph.tensors()[t].role;
    if (role == TensorRole::kStatistic) continue;
    for (size_t i = 0; i < state.values[t].size(); ++i) {
      double& w = state.values[t][i];
      double& v = state.momentum[t][i];
      double& gradient = result.gradients[t][i];
      if (role == TensorRole::kWeight) {
        result.loss_regularization += options.weight_prior / 2 * w * w;
        gradient += options.weight_prior * w;
      }
      squares += gradient * gradient;
      v = options.momentum * v - options.learning_rate * gradient;
      w += v;
    }
  }
  result.loss = result.loss_multinomial_logistic + result.loss_regularization;
  result.gradient_norm = std::sqrt(squares);
  return result;
}

}  // namespace dl::reference
