#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <variant>

#include "engine/graph.h"

namespace dl::images {

/// How a batch is varied at random. A method that is absent is not used.
struct Augmentation {
  /// Which axes are mirrored. kEither: rows, columns or both, a third each.
  enum class Mirror { kRows, kColumns, kEither };
  enum class Choice {
    kOne,  // each image gets one of the methods, all equally likely
    kAll,  // each image gets all of them, in the order below
  };
  /// A multiple of so many degrees, kLeast <= degrees <= 180; the multiples between 0 and 360 are equally likely.
  struct RotationStep {
    /// So that the multiples can be counted.
    static constexpr double kLeast = 0.001;
    double degrees;
  };
  /// Any angle in -degrees .. degrees, 0 < degrees <= 180.
  struct RotationRange {
    double degrees;
  };
  /// Sides of the window in percent of the image's, 0 < percent < 100.
  struct CropPercentage {
    double percent;
  };
  /// Sides of the window.
  struct CropPixels {
    int64_t pixels;
  };

  uint64_t seed = 0;
  /// Names the batch: another one has other numbers.
  uint64_t counter = 0;
  /// Of the images, 0..100: each is varied with this probability.
  double percentage = 100;
  Choice choice = Choice::kOne;
  std::optional<Mirror> mirror;
  std::variant<std::monostate, RotationStep, RotationRange> rotation;
  std::variant<std::monostate, CropPercentage, CropPixels> crop;
  /// Grey values: the brightness of all pixels is changed by up to so much. 0: not used.
  double brightness_variation = 0;
  /// Grey values: the brightness at the centre of a spot is changed by up to so much. 0: not used.
  double brightness_variation_spot = 0;
};

/// A change of the brightness around a point, by  peak exp(-((row - y)^2 + (column - x)^2) / (2 sigma^2)).
struct Spot {
  double peak;
  double row, column;
  double sigma;
};

/// A part of an image.
struct Window {
  int64_t row, column, height, width;
};

/// What becomes of one image. What is absent is left out; the order is that of the members.
struct Variation {
  bool mirror_rows = false;       // the first row becomes the last
  bool mirror_columns = false;    // the first column becomes the last
  std::optional<double> degrees;  // counter-clockwise
  std::optional<Window> window;
  std::optional<int> brightness;
  std::optional<Spot> spot;
};

/// The variation of the image at this position of its batch. It depends on these three alone: the random numbers are
/// Philox4x32-10 of (draw, image, counter) under the seed.
Variation draw(const Augmentation& augmentation, uint32_t image, ImageShape shape);

/// In place: pixels (height, width, channels).
void vary(const Variation& variation, ImageShape shape, std::span<uint8_t> pixels);

// The single changes, each in place or from one image into another of the same shape.

void mirror_rows(ImageShape shape, std::span<uint8_t> pixels);
void mirror_columns(ImageShape shape, std::span<uint8_t> pixels);
/// About the centre, counter-clockwise. Bilinear between pixels; beyond the border the image is mirrored.
void rotate(double degrees, ImageShape shape, std::span<const uint8_t> pixels, std::span<uint8_t> result);
/// The window, resized to the whole image.
void enlarge(const Window& window, ImageShape shape, std::span<const uint8_t> pixels, std::span<uint8_t> result);
/// g + offset, within 0..255.
void brighten(int offset, std::span<uint8_t> pixels);
void brighten_spot(const Spot& spot, ImageShape shape, std::span<uint8_t> pixels);

}  // namespace dl::images
