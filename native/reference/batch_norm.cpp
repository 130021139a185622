#include <cmath>

#include "reference/layers.h"

namespace dl::reference {
namespace {

/// Calls `visit` with the channel and the index of every value.
template <typename Visit>
void each_value(const Tensor& x, Visit visit) {
  for (int64_t n = 0; n < x.n; ++n)
    for (int64_t c = 0; c < x.c; ++c)
      for (int64_t h = 0; h < x.h; ++h)
        for (int64_t w = 0; w < x.w; ++w) visit(static_cast<size_t>(c), x.index(n, c, h, w));
}

}  // namespace

// mean[c] = sum_{n,h,w} x / M and variance[c] = sum_{n,h,w} (x - mean)^2 / M with M = N * H * W
BatchStatistics batch_statistics(const Tensor& x) {
  const double count = static_cast<double>(x.n * x.h * x.w);
  BatchStatistics batch{Values(x.c, 0.0), Values(x.c, 0.0)};
  each_value(x, [&](size_t c, size_t i) { batch.mean[c] += x.values[i] / count; });
  each_value(x, [&](size_t c, size_t i) { batch.variance[c] += std::pow(x.values[i] - batch.mean[c], 2) / count; });
  return batch;
}

// y = (x - mean[c]) / sqrt(variance[c] + epsilon) * weight[c] + bias[c]
Tensor batch_norm_forward(const Tensor& x, const BatchStatistics& statistics, const Values& weight, const Values& bias,
                          const BatchNorm& layer) {
  Tensor y = x.zeros();
  each_value(x, [&](size_t c, size_t i) {
    const double normalized = (x.values[i] - statistics.mean[c]) / std::sqrt(statistics.variance[c] + layer.epsilon);
    y.values[i] = normalized * weight[c] + bias[c];
  });
  return y;
}

// With z = (x - mean) / deviation and deviation = sqrt(variance + epsilon), both of this batch:
//   dbias = sum dy, dweight = sum dy * z, dx = weight / deviation * (dy - dbias / M - z * dweight / M)
BatchNormGradients batch_norm_backward(const Tensor& x, const Values& weight, const Tensor& dy, const BatchNorm& layer) {
  const double count = static_cast<double>(x.n * x.h * x.w);
  const BatchStatistics batch = batch_statistics(x);
  const auto deviation = [&](size_t c) { return std::sqrt(batch.variance[c] + layer.epsilon); };
  const auto normalized = [&](size_t c, size_t i) { return (x.values[i] - batch.mean[c]) / deviation(c); };
  BatchNormGradients gradients{x.zeros(), Values(x.c, 0.0), Values(x.c, 0.0)};
  each_value(x, [&](size_t c, size_t i) {
    gradients.bias[c] += dy.values[i];
    gradients.weight[c] += dy.values[i] * normalized(c, i);
  });
  each_value(x, [&](size_t c, size_t i) {
    const double common = gradients.bias[c] / count + normalized(c, i) * gradients.weight[c] / count;
    gradients.input.values[i] = weight[c] / deviation(c) * (dy.values[i] - common);
  });
  return gradients;
}

// dx = dy * weight / sqrt(variance + epsilon)
Tensor batch_norm_backward_fixed(const BatchStatistics& statistics, const Values& weight, const Tensor& dy,
                                 const BatchNorm& layer) {
  Tensor dx = dy.zeros();
  each_value(dy, [&](size_t c, size_t i) {
    dx.values[i] = dy.values[i] * weight[c] / std::sqrt(statistics.variance[c] + layer.epsilon);
  });
  return dx;
}

// r <- (1 - momentum) r + momentum * batch's, the variance unbiased: variance * M / (M - 1). A single value has the variance 0.
void move_running_statistics(const BatchStatistics& batch, int64_t count, const BatchNorm& layer, Values& running_mean,
                             Values& running_variance) {
  const double unbiased = count > 1 ? static_cast<double>(count) / static_cast<double>(count - 1) : 1.0;
  for (size_t c = 0; c < running_mean.size(); ++c) {
    running_mean[c] = (1 - layer.momentum) * running_mean[c] + layer.momentum * batch.mean[c];
    running_variance[c] = (1 - layer.momentum) * running_variance[c] + layer.momentum * batch.variance[c] * unbiased;
  }
}

}  // namespace dl::reference
