#include <algorithm>

#include "reference/layers.h"

namespace dl::reference {

// y = min(max(x, 0), max)
Tensor relu_forward(const Tensor& x, const Relu& layer) {
  Tensor y = x;
  for (double& value : y.values) {
    value = std::max(value, 0.0);
    if (layer.max) value = std::min(value, *layer.max);
  }
  return y;
}

// dx = dy where 0 < x < max, else 0; at the kinks 0, as PyTorch has it.
Tensor relu_backward(const Tensor& x, const Tensor& dy, const Relu& layer) {
  Tensor dx = x.zeros();
  for (size_t i = 0; i < x.values.size(); ++i) {
    const bool below = !layer.max || x.values[i] < *layer.max;
    if (x.values[i] > 0 && below) dx.values[i] = dy.values[i];
  }
  return dx;
}

}  // namespace dl::reference
