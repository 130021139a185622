#include <algorithm>
#include <cmath>

#include "reference/layers.h"

namespace dl::reference {
namespace {

/// log sum_k exp(z_k) of image n, by the greatest logit so that nothing overflows.
double log_sum_exp(const Tensor& logits, int64_t n) {
  double greatest = logits.at(n, 0, 0, 0);
  for (int64_t k = 1; k < logits.c; ++k) greatest = std::max(greatest, logits.at(n, k, 0, 0));
  double sum = 0;
  for (int64_t k = 0; k < logits.c; ++k) sum += std::exp(logits.at(n, k, 0, 0) - greatest);
  return greatest + std::log(sum);
}

double weight_of(int32_t label, std::span<const double> class_weights) {
  return class_weights.empty() ? 1.0 : class_weights[static_cast<size_t>(label)];
}

}  // namespace

// f[n,k] = exp(z[n,k]) / sum_j exp(z[n,j])
Tensor softmax_forward(const Tensor& logits) {
  Tensor confidences = logits.zeros();
  for (int64_t n = 0; n < logits.n; ++n)
    for (int64_t k = 0; k < logits.c; ++k) confidences.at(n, k, 0, 0) = std::exp(logits.at(n, k, 0, 0) - log_sum_exp(logits, n));
  return confidences;
}

double negative_log_likelihood(const Tensor& logits, std::span<const int32_t> labels, std::span<const double> class_weights) {
  double sum = 0;
  for (int64_t n = 0; n < logits.n; ++n)
    sum += weight_of(labels[n], class_weights) * (log_sum_exp(logits, n) - logits.at(n, labels[n], 0, 0));
  return sum;
}

// dz[n,k] = c[label] * (f[n,k] - y[n,k]) / total_images, y one-hot
Tensor softmax_backward(const Tensor& logits, std::span<const int32_t> labels, int64_t total_images,
                        std::span<const double> class_weights) {
  Tensor gradient = softmax_forward(logits);
  for (int64_t n = 0; n < logits.n; ++n) {
    gradient.at(n, labels[n], 0, 0) -= 1.0;
    for (int64_t k = 0; k < logits.c; ++k)
      gradient.at(n, k, 0, 0) *= weight_of(labels[n], class_weights) / static_cast<double>(total_images);
  }
  return gradient;
}

}  // namespace dl::reference
