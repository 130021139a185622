#include "reference/layers.h"

namespace dl::reference {

// y[n,c,h,w] = pixels[n,c,h,w] * scale[c] + shift[c]
Tensor input_forward(const Tensor& pixels, const Input& layer) {
  Tensor y = pixels.zeros();
  for (int64_t n = 0; n < y.n; ++n)
    for (int64_t c = 0; c < y.c; ++c)
      for (int64_t h = 0; h < y.h; ++h)
        for (int64_t w = 0; w < y.w; ++w)
          y.at(n, c, h, w) =
              pixels.at(n, c, h, w) * static_cast<double>(layer.scale.at(c)) + static_cast<double>(layer.shift.at(c));
  return y;
}

}  // namespace dl::reference
