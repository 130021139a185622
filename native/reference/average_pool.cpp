#include "reference/layers.h"

namespace dl::reference {
namespace {

/// Calls `visit` with the index into x and into y and with 1 / divisor for every value that enters an average. The divisor is the
/// number of places of the window that lie inside x or, with count_include_pad, inside x with its padding; the part of a window
/// of ceil mode that reaches beyond the padding is never counted (as in PyTorch).
template <typename Visit>
void each_share(const Tensor& x, const Tensor& y, const Pool& layer, Visit visit) {
  for (int64_t n = 0; n < y.n; ++n)
    for (int64_t c = 0; c < y.c; ++c)
      for (int64_t oh = 0; oh < y.h; ++oh)
        for (int64_t ow = 0; ow < y.w; ++ow) {
          int64_t divisor = 0;
          std::vector<size_t> members;
          for (int64_t r = 0; r < layer.kernel[0]; ++r)
            for (int64_t s = 0; s < layer.kernel[1]; ++s) {
              const int64_t ih = oh * layer.stride[0] - layer.padding[0] + r;
              const int64_t iw = ow * layer.stride[1] - layer.padding[1] + s;
              const bool padded = ih < x.h + layer.padding[0] && iw < x.w + layer.padding[1];
              if (x.inside(ih, iw)) members.push_back(x.index(n, c, ih, iw));
              if (x.inside(ih, iw) || (layer.count_include_pad && padded)) ++divisor;
            }
          for (const size_t member : members) visit(member, y.index(n, c, oh, ow), 1.0 / static_cast<double>(divisor));
        }
}

}  // namespace

// y = sum of the window's values / divisor
Tensor average_pool_forward(const Tensor& x, const Pool& layer) {
  Tensor y(x.n, x.c, count_windows(x.h, layer.kernel[0], layer.stride[0], layer.padding[0], layer.ceil_mode),
           count_windows(x.w, layer.kernel[1], layer.stride[1], layer.padding[1], layer.ceil_mode));
  each_share(x, y, layer, [&](size_t ix, size_t iy, double share) { y.values[iy] += x.values[ix] * share; });
  return y;
}

// dx[i] = sum over the windows that hold i of dy / divisor
Tensor average_pool_backward(const Tensor& x, const Tensor& dy, const Pool& layer) {
  Tensor dx = x.zeros();
  each_share(x, dy, layer, [&](size_t ix, size_t iy, double share) { dx.values[ix] += dy.values[iy] * share; });
  return dx;
}

}  // namespace dl::reference
