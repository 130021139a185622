#include "images/augmentation.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "engine/random.h"

namespace dl::images {
namespace {

/// The draws of an image: one for the choice, one for each method, so that a method's numbers do not depend on the other methods.
enum Draw : uint32_t { kChoice, kMirror, kRotation, kCrop, kBrightness, kSpot, kSpotSize };

using Words = std::array<uint32_t, 4>;

/// A real number in [0, 1).
double uniform(uint32_t word) { return word * 0x1p-32; }

/// A whole number in 0 .. count - 1.
int64_t below(uint32_t word, int64_t count) {
  return static_cast<int64_t>(static_cast<uint64_t>(word) * static_cast<uint64_t>(count) >> 32);
}

/// A real number in [-limit, limit).
double within(uint32_t word, double limit) { return (2 * uniform(word) - 1) * limit; }

class Drawing {
 public:
  Drawing(const Augmentation& augmentation, uint32_t image, ImageShape shape)
      : augmentation_(augmentation), image_(image), shape_(shape) {}

  Variation result() {
    const Words words = draw(kChoice);
    if (!(uniform(words[0]) * 100 < augmentation_.percentage)) return {};
    const std::vector<Draw> methods = enabled();
    if (augmentation_.choice == Augmentation::Choice::kAll) {
      for (const Draw method : methods) add(method);
    } else if (!methods.empty()) {
      add(methods[static_cast<size_t>(below(words[1], static_cast<int64_t>(methods.size())))]);
    }
    return variation_;
  }

 private:
  Words draw(Draw number) const {
    const uint64_t counter = augmentation_.counter;
    return philox({number, image_, static_cast<uint32_t>(counter), static_cast<uint32_t>(counter >> 32)},
                  philox_key(augmentation_.seed));
  }

  std::vector<Draw> enabled() const {
    std::vector<Draw> methods;
    if (augmentation_.mirror) methods.push_back(kMirror);
    if (augmentation_.rotation.index() != 0) methods.push_back(kRotation);
    if (augmentation_.crop.index() != 0) methods.push_back(kCrop);
    if (augmentation_.brightness_variation > 0) methods.push_back(kBrightness);
    if (augmentation_.brightness_variation_spot > 0) methods.push_back(kSpot);
    return methods;
  }

  void add(Draw method) {
    const Words words = draw(method);
    if (method == kMirror) mirror(words);
    if (method == kRotation) variation_.degrees = angle(words);
    if (method == kCrop) variation_.window = window(words);
    if (method == kBrightness)
      variation_.brightness = static_cast<int>(std::lround(within(words[0], augmentation_.brightness_variation)));
    if (method == kSpot) variation_.spot = spot(words, draw(kSpotSize));
  }

  void mirror(const Words& words) {
    const int64_t third = below(words[0], 3);
    const bool either = *augmentation_.mirror == Augmentation::Mirror::kEither;
    variation_.mirror_rows = either ? third != 0 : *augmentation_.mirror == Augmentation::Mirror::kRows;
    variation_.mirror_columns = either ? third != 1 : *augmentation_.mirror == Augmentation::Mirror::kColumns;
  }

  double angle(const Words& words) const {
    if (const auto* range = std::get_if<Augmentation::RotationRange>(&augmentation_.rotation))
      return within(words[0], range->degrees);
    const double step = std::get<Augmentation::RotationStep>(augmentation_.rotation).degrees;
    // The multiples step, 2 step, ... below 360.
    const auto multiples = static_cast<int64_t>(std::ceil(360 / step)) - 1;
    return step * static_cast<double>(1 + below(words[0], multiples));
  }

  Window window(const Words& words) const {
    const auto side = [&](int64_t extent) {
      if (const auto* crop = std::get_if<Augmentation::CropPixels>(&augmentation_.crop)) return std::min(crop->pixels, extent);
      const double percent = std::get<Augmentation::CropPercentage>(augmentation_.crop).percent;
      return std::max<int64_t>(1, std::llround(static_cast<double>(extent) * percent / 100));
    };
    const int64_t height = side(shape_.height), width = side(shape_.width);
    return {below(words[0], shape_.height - height + 1), below(words[1], shape_.width - width + 1), height, width};
  }

  Spot spot(const Words& place, const Words& size) const {
    const auto height = static_cast<double>(shape_.height), width = static_cast<double>(shape_.width);
    return {within(place[0], augmentation_.brightness_variation_spot), uniform(place[1]) * height - 0.5,
            uniform(place[2]) * width - 0.5, (0.125 + 0.375 * uniform(size[0])) * std::min(height, width)};
  }

  const Augmentation& augmentation_;
  const uint32_t image_;
  const ImageShape shape_;
  Variation variation_;
};

}  // namespace

Variation draw(const Augmentation& augmentation, uint32_t image, ImageShape shape) {
  return Drawing(augmentation, image, shape).result();
}

void vary(const Variation& variation, ImageShape shape, std::span<uint8_t> pixels) {
  std::vector<uint8_t> before;
  const auto keep = [&] { before.assign(pixels.begin(), pixels.end()); };
  if (variation.mirror_rows) mirror_rows(shape, pixels);
  if (variation.mirror_columns) mirror_columns(shape, pixels);
  if (variation.degrees) {
    keep();
    rotate(*variation.degrees, shape, before, pixels);
  }
  if (variation.window) {
    keep();
    enlarge(*variation.window, shape, before, pixels);
  }
  if (variation.brightness) brighten(*variation.brightness, pixels);
  if (variation.spot) brighten_spot(*variation.spot, shape, pixels);
}

}  // namespace dl::images
