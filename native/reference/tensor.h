#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace dl::reference {

using Values = std::vector<double>;

/// A batch of activations in float64, (N, C, H, W), row by row.
struct Tensor {
  int64_t n = 0;
  int64_t c = 0;
  int64_t h = 0;
  int64_t w = 0;
  Values values;

  Tensor() = default;
  Tensor(int64_t n, int64_t c, int64_t h, int64_t w) : n(n), c(c), h(h), w(w), values(static_cast<size_t>(n * c * h * w), 0.0) {}

  size_t index(int64_t in, int64_t ic, int64_t ih, int64_t iw) const {
    return static_cast<size_t>(((in * c + ic) * h + ih) * w + iw);
  }
  double& at(int64_t in, int64_t ic, int64_t ih, int64_t iw) { return values[index(in, ic, ih, iw)]; }
  double at(int64_t in, int64_t ic, int64_t ih, int64_t iw) const { return values[index(in, ic, ih, iw)]; }

  /// Whether row ih and column iw lie inside; outside is padding.
  bool inside(int64_t ih, int64_t iw) const { return ih >= 0 && ih < h && iw >= 0 && iw < w; }
  bool same_shape(const Tensor& other) const { return n == other.n && c == other.c && h == other.h && w == other.w; }
  /// Zeros of the same shape.
  Tensor zeros() const { return Tensor(n, c, h, w); }
};

}  // namespace dl::reference
