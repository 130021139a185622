#include "reference/layers.h"

namespace dl::reference {

// y[n,c] = sum_{h,w} x[n,c,h,w] / (H * W)
Tensor global_average_pool_forward(const Tensor& x) {
  Tensor y(x.n, x.c, 1, 1);
  for (int64_t n = 0; n < x.n; ++n)
    for (int64_t c = 0; c < x.c; ++c)
      for (int64_t h = 0; h < x.h; ++h)
        for (int64_t w = 0; w < x.w; ++w) y.at(n, c, 0, 0) += x.at(n, c, h, w) / static_cast<double>(x.h * x.w);
  return y;
}

// dx[n,c,h,w] = dy[n,c] / (H * W)
Tensor global_average_pool_backward(const Tensor& x, const Tensor& dy) {
  Tensor dx = x.zeros();
  for (int64_t n = 0; n < x.n; ++n)
    for (int64_t c = 0; c < x.c; ++c)
      for (int64_t h = 0; h < x.h; ++h)
        for (int64_t w = 0; w < x.w; ++w) dx.at(n, c, h, w) = dy.at(n, c, 0, 0) / static_cast<double>(x.h * x.w);
  return dx;
}

}  // namespace dl::reference
