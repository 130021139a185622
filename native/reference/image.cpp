#include "reference/image.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace dl::reference {

double resize_weight(int64_t i, int64_t j, int64_t n, int64_t m) {
  const double scale = static_cast<double>(n) / static_cast<double>(m);
  const double distance = std::abs(static_cast<double>(j) + 0.5 - (static_cast<double>(i) + 0.5) * scale);
  return std::max(0.0, 1 - distance / std::max(1.0, scale));
}

Picture resize(const Picture& picture, int64_t height, int64_t width) {
  Picture result{height, width, picture.channels, std::vector<double>(static_cast<size_t>(height * width * picture.channels))};
  for (int64_t y = 0; y < height; ++y) {
    for (int64_t x = 0; x < width; ++x) {
      double weights = 0;
      for (int64_t j = 0; j < picture.height; ++j) {
        for (int64_t i = 0; i < picture.width; ++i) {
          const double weight = resize_weight(y, j, picture.height, height) * resize_weight(x, i, picture.width, width);
          weights += weight;
          for (int64_t c = 0; c < picture.channels; ++c) result.at(y, x, c) += weight * picture.at(j, i, c);
        }
      }
      for (int64_t c = 0; c < picture.channels; ++c) result.at(y, x, c) /= weights;
    }
  }
  return result;
}

namespace {

/// 0 1 2 2 1 0 0 1 2 ... for an extent of 3, to both sides.
int64_t reflect(int64_t place, int64_t extent) {
  while (place < 0 || place >= extent) place = place < 0 ? -1 - place : 2 * extent - 1 - place;
  return place;
}

}  // namespace

Picture rotate(const Picture& picture, double degrees) {
  const double sine = std::sin(degrees * std::numbers::pi / 180), cosine = std::cos(degrees * std::numbers::pi / 180);
  const double middle_row = static_cast<double>(picture.height - 1) / 2,
               middle_column = static_cast<double>(picture.width - 1) / 2;
  Picture result = picture;
  for (int64_t y = 0; y < picture.height; ++y) {
    for (int64_t x = 0; x < picture.width; ++x) {
      // Rows go down: a turn to the left carries (right, up) to the place, so that the pixel comes from the turn to the right of
      // it.
      const double right = static_cast<double>(x) - middle_column, up = middle_row - static_cast<double>(y);
      const double column = middle_column + (cosine * right + sine * up), row = middle_row - (cosine * up - sine * right);
      const auto left = static_cast<int64_t>(std::floor(column)), top = static_cast<int64_t>(std::floor(row));
      const double beside = column - std::floor(column), below = row - std::floor(row);
      for (int64_t c = 0; c < picture.channels; ++c) {
        const auto value = [&](int64_t j, int64_t i) {
          return picture.at(reflect(j, picture.height), reflect(i, picture.width), c);
        };
        result.at(y, x, c) = (1 - below) * ((1 - beside) * value(top, left) + beside * value(top, left + 1)) +
                             below * ((1 - beside) * value(top + 1, left) + beside * value(top + 1, left + 1));
      }
    }
  }
  return result;
}

Picture add_spot(const Picture& picture, double peak, double row, double column, double sigma) {
  Picture result = picture;
  for (int64_t y = 0; y < picture.height; ++y) {
    for (int64_t x = 0; x < picture.width; ++x) {
      const double down = static_cast<double>(y) - row, right = static_cast<double>(x) - column;
      const double change = peak * std::exp(-(down * down + right * right) / (2 * sigma * sigma));
      for (int64_t c = 0; c < picture.channels; ++c) result.at(y, x, c) = std::clamp(picture.at(y, x, c) + change, 0.0, 255.0);
    }
  }
  return result;
}

}  // namespace dl::reference
