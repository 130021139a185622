#include "reference/layers.h"

namespace dl::reference {

// y[n, first(j) + c, h, w] = x_j[n, c, h, w], first(j) = channels of the inputs before j
Tensor concat_forward(const std::vector<const Tensor*>& inputs) {
  int64_t channels = 0;
  for (const Tensor* x : inputs) channels += x->c;
  Tensor y(inputs.front()->n, channels, inputs.front()->h, inputs.front()->w);
  int64_t first = 0;
  for (const Tensor* x : inputs) {
    for (int64_t n = 0; n < x->n; ++n)
      for (int64_t c = 0; c < x->c; ++c)
        for (int64_t h = 0; h < x->h; ++h)
          for (int64_t w = 0; w < x->w; ++w) y.at(n, first + c, h, w) = x->at(n, c, h, w);
    first += x->c;
  }
  return y;
}

// dx_j[n, c, h, w] = dy[n, first(j) + c, h, w]
std::vector<Tensor> concat_backward(const std::vector<const Tensor*>& inputs, const Tensor& dy) {
  std::vector<Tensor> gradients;
  int64_t first = 0;
  for (const Tensor* x : inputs) {
    Tensor dx = x->zeros();
    for (int64_t n = 0; n < x->n; ++n)
      for (int64_t c = 0; c < x->c; ++c)
        for (int64_t h = 0; h < x->h; ++h)
          for (int64_t w = 0; w < x->w; ++w) dx.at(n, c, h, w) = dy.at(n, first + c, h, w);
    gradients.push_back(dx);
    first += x->c;
  }
  return gradients;
}

}  // namespace dl::reference
