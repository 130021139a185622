#include "reference/layers.h"

namespace dl::reference {
namespace {

/// Calls `visit` with (n, k, c, r, s) and the coordinates (oh, ow) -> (ih, iw) of every product of the convolution that lies
/// inside the input: k is the output channel, c the channel inside its group, (r, s) the place in the kernel.
template <typename Visit>
void each_product(const Tensor& x, const Tensor& y, const Convolution& layer, Visit visit) {
  const int64_t channels_per_group = x.c / layer.groups;
  for (int64_t n = 0; n < y.n; ++n)
    for (int64_t k = 0; k < y.c; ++k)
      for (int64_t oh = 0; oh < y.h; ++oh)
        for (int64_t ow = 0; ow < y.w; ++ow)
          for (int64_t c = 0; c < channels_per_group; ++c)
            for (int64_t r = 0; r < layer.kernel[0]; ++r)
              for (int64_t s = 0; s < layer.kernel[1]; ++s) {
                const int64_t ih = oh * layer.stride[0] - layer.padding[0] + r;
                const int64_t iw = ow * layer.stride[1] - layer.padding[1] + s;
                if (!x.inside(ih, iw)) continue;
                const int64_t group = k / (layer.out_channels / layer.groups);
                const int64_t weight = ((k * channels_per_group + c) * layer.kernel[0] + r) * layer.kernel[1] + s;
                visit(static_cast<size_t>(weight), x.index(n, group * channels_per_group + c, ih, iw), y.index(n, k, oh, ow));
              }
}

}  // namespace

// y[n,k,oh,ow] = bias[k] + sum_{c,r,s} weight[k,c,r,s] * x[n, g(k) + c, oh * stride - padding + r, ow * stride - padding + s]
// where g(k) is the first channel of the group of k, and x is 0 outside.
Tensor convolution_forward(const Tensor& x, const Values& weight, const Values& bias, const Convolution& layer) {
  Tensor y(x.n, layer.out_channels, count_windows(x.h, layer.kernel[0], layer.stride[0], layer.padding[0], false),
           count_windows(x.w, layer.kernel[1], layer.stride[1], layer.padding[1], false));
  each_product(x, y, layer, [&](size_t iw, size_t ix, size_t iy) { y.values[iy] += weight[iw] * x.values[ix]; });
  if (!layer.bias) return y;
  for (int64_t n = 0; n < y.n; ++n)
    for (int64_t k = 0; k < y.c; ++k)
      for (int64_t h = 0; h < y.h; ++h)
        for (int64_t w = 0; w < y.w; ++w) y.at(n, k, h, w) += bias.at(k);
  return y;
}

// Each product weight * x that enters y gives weight * dy to dx and x * dy to dweight; dbias[k] = sum_{n,h,w} dy[n,k,h,w].
ConvolutionGradients convolution_backward(const Tensor& x, const Values& weight, const Tensor& dy, const Convolution& layer) {
  ConvolutionGradients gradients{x.zeros(), Values(weight.size(), 0.0), Values(layer.bias ? dy.c : 0, 0.0)};
  each_product(x, dy, layer, [&](size_t iw, size_t ix, size_t iy) {
    gradients.input.values[ix] += weight[iw] * dy.values[iy];
    gradients.weight[iw] += x.values[ix] * dy.values[iy];
  });
  if (!layer.bias) return gradients;
  for (int64_t n = 0; n < dy.n; ++n)
    for (int64_t k = 0; k < dy.c; ++k)
      for (int64_t h = 0; h < dy.h; ++h)
        for (int64_t w = 0; w < dy.w; ++w) gradients.bias[k] += dy.at(n, k, h, w);
  return gradients;
}

}  // namespace dl::reference
