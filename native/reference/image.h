#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace dl::reference {

/// Values (height, width, channels) before they are rounded.
struct Picture {
  int64_t height = 0;
  int64_t width = 0;
  int64_t channels = 0;
  std::vector<double> values;

  double& at(int64_t y, int64_t x, int64_t c) { return values[static_cast<size_t>((y * width + x) * channels + c)]; }
  double at(int64_t y, int64_t x, int64_t c) const { return values[static_cast<size_t>((y * width + x) * channels + c)]; }
};

/// The weight of input j in output i where n inputs become m outputs: max(0, 1 - |j + 1/2 - (i + 1/2) n / m| / max(1, n / m)).
double resize_weight(int64_t i, int64_t j, int64_t n, int64_t m);

/// Mean of all inputs, weighted along both axes.
Picture resize(const Picture& picture, int64_t height, int64_t width);

/// About the centre, counter-clockwise; bilinear, mirrored at the border.
Picture rotate(const Picture& picture, double degrees);

/// Adds peak exp(-distance^2 / (2 sigma^2)) around (row, column).
Picture add_spot(const Picture& picture, double peak, double row, double column, double sigma);

}  // namespace dl::reference
