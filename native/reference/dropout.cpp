#include <cmath>

#include "reference/layers.h"

namespace dl::reference {

// Value i = ((n * H + h) * W + w) * C + c, n counted over the whole batch, is kept iff word[i % 4] * 2^-32 >= probability, where
// the four words are Philox4x32-10 of counter (i / 4 low, i / 4 high, node, step low) and key (seed low, seed high). A kept value
// is divided by (1 - probability), so that the expected value stays.
Tensor dropout_mask(const Tensor& x, const Dropout& layer, const DropoutKey& key) {
  Tensor mask = x.zeros();
  for (int64_t n = 0; n < x.n; ++n)
    for (int64_t c = 0; c < x.c; ++c)
      for (int64_t h = 0; h < x.h; ++h)
        for (int64_t w = 0; w < x.w; ++w) {
          const auto i = static_cast<uint64_t>((((key.first_image + n) * x.h + h) * x.w + w) * x.c + c);
          const uint64_t block = i / 4;
          const std::array<uint32_t, 4> words = philox4x32_10(
              {static_cast<uint32_t>(block), static_cast<uint32_t>(block >> 32), key.node, static_cast<uint32_t>(key.step)},
              {static_cast<uint32_t>(key.seed), static_cast<uint32_t>(key.seed >> 32)});
          const bool kept = std::ldexp(static_cast<double>(words[i % 4]), -32) >= layer.probability;
          mask.at(n, c, h, w) = kept ? 1.0 / (1.0 - layer.probability) : 0.0;
        }
  return mask;
}

Tensor dropout_apply(const Tensor& x, const Tensor& mask) {
  Tensor y = x;
  for (size_t i = 0; i < y.values.size(); ++i) y.values[i] *= mask.values.at(i);
  return y;
}

}  // namespace dl::reference
