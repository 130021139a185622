#include "reference/layers.h"

namespace dl::reference {

// y[n,k] = bias[k] + sum_f weight[k,f] * x[n,f], f = (c * H + h) * W + w
Tensor fully_connected_forward(const Tensor& x, const Values& weight, const Values& bias, const FullyConnected& layer) {
  const int64_t features = x.c * x.h * x.w;
  Tensor y(x.n, layer.out_features, 1, 1);
  for (int64_t n = 0; n < x.n; ++n)
    for (int64_t k = 0; k < layer.out_features; ++k) {
      if (layer.bias) y.at(n, k, 0, 0) = bias.at(k);
      for (int64_t f = 0; f < features; ++f) y.at(n, k, 0, 0) += weight.at(k * features + f) * x.values.at(n * features + f);
    }
  return y;
}

// dx[n,f] = sum_k weight[k,f] * dy[n,k], dweight[k,f] = sum_n dy[n,k] * x[n,f], dbias[k] = sum_n dy[n,k]
FullyConnectedGradients fully_connected_backward(const Tensor& x, const Values& weight, const Tensor& dy,
                                                 const FullyConnected& layer) {
  const int64_t features = x.c * x.h * x.w;
  FullyConnectedGradients gradients{x.zeros(), Values(weight.size(), 0.0), Values(layer.bias ? layer.out_features : 0, 0.0)};
  for (int64_t n = 0; n < x.n; ++n)
    for (int64_t k = 0; k < layer.out_features; ++k) {
      const double d = dy.at(n, k, 0, 0);
      if (layer.bias) gradients.bias[k] += d;
      for (int64_t f = 0; f < features; ++f) {
        gradients.input.values[n * features + f] += weight.at(k * features + f) * d;
        gradients.weight[k * features + f] += d * x.values[n * features + f];
      }
    }
  return gradients;
}

}  // namespace dl::reference
