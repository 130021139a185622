#include <limits>

#include "reference/layers.h"

namespace dl::reference {
namespace {

constexpr size_t kNothing = std::numeric_limits<size_t>::max();

/// Index into x of the greatest value of a window, the first of equal ones row by row; kNothing for a window without a value.
size_t greatest(const Tensor& x, const Pool& layer, int64_t n, int64_t c, int64_t oh, int64_t ow) {
  size_t best = kNothing;
  for (int64_t r = 0; r < layer.kernel[0]; ++r)
    for (int64_t s = 0; s < layer.kernel[1]; ++s) {
      const int64_t ih = oh * layer.stride[0] - layer.padding[0] + r;
      const int64_t iw = ow * layer.stride[1] - layer.padding[1] + s;
      if (!x.inside(ih, iw)) continue;
      const size_t i = x.index(n, c, ih, iw);
      if (best == kNothing || x.values[i] > x.values[best]) best = i;
    }
  return best;
}

}  // namespace

// y[n,c,oh,ow] = max_{r,s} x[n, c, oh * stride - padding + r, ow * stride - padding + s] over what is inside
Tensor max_pool_forward(const Tensor& x, const Pool& layer) {
  Tensor y(x.n, x.c, count_windows(x.h, layer.kernel[0], layer.stride[0], layer.padding[0], layer.ceil_mode),
           count_windows(x.w, layer.kernel[1], layer.stride[1], layer.padding[1], layer.ceil_mode));
  for (int64_t n = 0; n < y.n; ++n)
    for (int64_t c = 0; c < y.c; ++c)
      for (int64_t oh = 0; oh < y.h; ++oh)
        for (int64_t ow = 0; ow < y.w; ++ow) y.at(n, c, oh, ow) = x.values.at(greatest(x, layer, n, c, oh, ow));
  return y;
}

// dx[i] = sum of dy over the windows whose greatest value is i
Tensor max_pool_backward(const Tensor& x, const Tensor& dy, const Pool& layer) {
  Tensor dx = x.zeros();
  for (int64_t n = 0; n < dy.n; ++n)
    for (int64_t c = 0; c < dy.c; ++c)
      for (int64_t oh = 0; oh < dy.h; ++oh)
        for (int64_t ow = 0; ow < dy.w; ++ow) dx.values.at(greatest(x, layer, n, c, oh, ow)) += dy.at(n, c, oh, ow);
  return dx;
}

}  // namespace dl::reference
