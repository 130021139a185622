// Augmentation that changes grey values.
#include <algorithm>
#include <cmath>
#include <vector>

#include "images/augmentation.h"

namespace dl::images {
namespace {

/// The spot's profile along one axis, in units of 2^-15: rounding hides the last bit, in which mathematical libraries differ.
constexpr int kProfileBits = 15;
/// The spot's peak, in units of 2^-8 grey values.
constexpr int kPeakBits = 8;

uint8_t clamped(int64_t value) { return static_cast<uint8_t>(std::clamp<int64_t>(value, 0, 255)); }

std::vector<int64_t> profile(double centre, double sigma, int64_t extent) {
  std::vector<int64_t> values;
  for (int64_t i = 0; i < extent; ++i) {
    const double distance = (static_cast<double>(i) - centre) / sigma;
    values.push_back(std::llround(std::exp(-distance * distance / 2) * (1 << kProfileBits)));
  }
  return values;
}

}  // namespace

void brighten(int offset, std::span<uint8_t> pixels) {
  for (uint8_t& value : pixels) value = clamped(value + offset);
}

void brighten_spot(const Spot& spot, ImageShape shape, std::span<uint8_t> pixels) {
  constexpr int kShift = 2 * kProfileBits + kPeakBits;
  const int64_t peak = std::llround(spot.peak * (1 << kPeakBits));
  const std::vector<int64_t> rows = profile(spot.row, spot.sigma, shape.height);
  const std::vector<int64_t> columns = profile(spot.column, spot.sigma, shape.width);
  uint8_t* value = pixels.data();
  for (const int64_t row : rows) {
    for (const int64_t column : columns) {
      const int64_t change = (peak * row * column + (int64_t{1} << (kShift - 1))) >> kShift;
      for (int64_t c = 0; c < shape.channels; ++c, ++value) *value = clamped(*value + change);
    }
  }
}

}  // namespace dl::images
