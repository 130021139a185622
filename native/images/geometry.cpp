// Augmentation that moves pixels.
#include <algorithm>
#include <cmath>
#include <numbers>

#include "images/augmentation.h"
#include "images/resize.h"

namespace dl::images {
namespace {

/// Sine and cosine are rounded to 30 bits, which hides the last bit, in which mathematical libraries differ. All else is whole
/// numbers.
constexpr int kTurnBits = 30;
/// Places between two pixels that are told apart: 2^11.
constexpr int kPlaceBits = 11;
constexpr int64_t kPlaces = int64_t{1} << kPlaceBits;

/// The pixel at this place of an image that is mirrored at its borders, again and again: ... 1 0 | 0 1 2 ... n - 1 | n - 1 n - 2
/// ...
int64_t mirrored(int64_t place, int64_t extent) {
  if (place >= 0 && place < extent) return place;
  const int64_t period = 2 * extent;
  const int64_t phase = ((place % period) + period) % period;
  return phase < extent ? phase : period - 1 - phase;
}

/// A coordinate in units of 1 / kPlaces pixel, rounded, from one in half pixels times 2^kTurnBits.
int64_t to_places(int64_t coordinate) {
  constexpr int kShift = 1 + kTurnBits - kPlaceBits;
  return (coordinate + (int64_t{1} << (kShift - 1))) >> kShift;
}

}  // namespace

void mirror_rows(ImageShape shape, std::span<uint8_t> pixels) {
  const int64_t row = shape.width * shape.channels;
  for (int64_t y = 0; y < shape.height / 2; ++y) {
    std::swap_ranges(&pixels[static_cast<size_t>(y * row)], &pixels[static_cast<size_t>(y * row)] + row,
                     &pixels[static_cast<size_t>((shape.height - 1 - y) * row)]);
  }
}

void mirror_columns(ImageShape shape, std::span<uint8_t> pixels) {
  for (int64_t y = 0; y < shape.height; ++y) {
    uint8_t* row = &pixels[static_cast<size_t>(y * shape.width * shape.channels)];
    for (int64_t left = 0, right = shape.width - 1; left < right; ++left, --right) {
      std::swap_ranges(row + left * shape.channels, row + (left + 1) * shape.channels, row + right * shape.channels);
    }
  }
}

void rotate(double degrees, ImageShape shape, std::span<const uint8_t> pixels, std::span<uint8_t> result) {
  const double radians = degrees * std::numbers::pi / 180;
  const int64_t sine = std::llround(std::sin(radians) * (int64_t{1} << kTurnBits));
  const int64_t cosine = std::llround(std::cos(radians) * (int64_t{1} << kTurnBits));
  const int64_t height = shape.height, width = shape.width, channels = shape.channels;
  uint8_t* out = result.data();
  for (int64_t y = 0; y < height; ++y) {
    for (int64_t x = 0; x < width; ++x) {
      // Half pixels from the centre; the result's pixel comes from the place that the turn brings there.
      const int64_t down = 2 * y - (height - 1), right = 2 * x - (width - 1);
      const int64_t row = to_places(cosine * down + sine * right + ((height - 1) << kTurnBits));
      const int64_t column = to_places(cosine * right - sine * down + ((width - 1) << kTurnBits));
      const int64_t top = row >> kPlaceBits, left = column >> kPlaceBits;
      const int64_t below = row & (kPlaces - 1), beside = column & (kPlaces - 1);
      const uint8_t* upper = pixels.data() + mirrored(top, height) * width * channels;
      const uint8_t* lower = pixels.data() + mirrored(top + 1, height) * width * channels;
      const int64_t first = mirrored(left, width) * channels, second = mirrored(left + 1, width) * channels;
      for (int64_t c = 0; c < channels; ++c) {
        const int64_t above = (kPlaces - beside) * upper[first + c] + beside * upper[second + c];
        const int64_t under = (kPlaces - beside) * lower[first + c] + beside * lower[second + c];
        *out++ = static_cast<uint8_t>(((kPlaces - below) * above + below * under + kPlaces * kPlaces / 2) >> (2 * kPlaceBits));
      }
    }
  }
}

void enlarge(const Window& window, ImageShape shape, std::span<const uint8_t> pixels, std::span<uint8_t> result) {
  Resizer resizer(window.width, window.height, shape.width, shape.height, shape.channels, result.data());
  for (int64_t y = window.row; y < window.row + window.height; ++y) {
    resizer.push(pixels.data() + (y * shape.width + window.column) * shape.channels);
  }
}

}  // namespace dl::images
