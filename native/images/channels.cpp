#include "images/channels.h"

#include <algorithm>

#include "images/error.h"

namespace dl::images {
namespace {

constexpr int kOpaque = 255;

struct Rgb {
  uint8_t red, green, blue;
};

uint8_t grey(Rgb pixel) { return static_cast<uint8_t>((299 * pixel.red + 587 * pixel.green + 114 * pixel.blue + 500) / 1000); }

uint8_t share(int ink, int black) { return static_cast<uint8_t>((ink * black + 127) / 255); }

template <Colour from>
Rgb rgb(const uint8_t* pixel) {
  if constexpr (from == Colour::kGrey || from == Colour::kGreyAlpha) return {pixel[0], pixel[0], pixel[0]};
  if constexpr (from == Colour::kRgb || from == Colour::kRgbAlpha) return {pixel[0], pixel[1], pixel[2]};
  if constexpr (from == Colour::kInvertedCmyk) {
    return {share(pixel[0], pixel[3]), share(pixel[1], pixel[3]), share(pixel[2], pixel[3])};
  }
  return {share(255 - pixel[0], 255 - pixel[3]), share(255 - pixel[1], 255 - pixel[3]), share(255 - pixel[2], 255 - pixel[3])};
}

template <Colour from>
void convert_row(const uint8_t* row, int64_t width, int64_t wanted, uint8_t* result) {
  constexpr int64_t kStep = channels(from);
  for (int64_t x = 0; x < width; ++x) {
    const Rgb pixel = rgb<from>(row + x * kStep);
    if (wanted == 1) {
      // The weights' sum is 1: equal channels are their own grey value.
      result[x] = grey(pixel);
    } else {
      result[3 * x] = pixel.red;
      result[3 * x + 1] = pixel.green;
      result[3 * x + 2] = pixel.blue;
    }
  }
}

bool has_colours(Colour colour) { return colour != Colour::kGrey && colour != Colour::kGreyAlpha; }

bool has_alpha(Colour colour) { return colour == Colour::kGreyAlpha || colour == Colour::kRgbAlpha; }

}  // namespace

ChannelConverter::ChannelConverter(Colour from, int64_t wanted, bool exact) : from_(from), wanted_(wanted), exact_(exact) {
  const bool inks = from == Colour::kCmyk || from == Colour::kInvertedCmyk;
  if (exact && inks) throw mismatch(Reason::kWrongImageChannels, "channels", channels(from), wanted);
}

void ChannelConverter::convert(const uint8_t* row, int64_t width, uint8_t* result) const {
  if (exact_) check(row, width);
  switch (from_) {
    case Colour::kGrey:
      return convert_row<Colour::kGrey>(row, width, wanted_, result);
    case Colour::kGreyAlpha:
      return convert_row<Colour::kGreyAlpha>(row, width, wanted_, result);
    case Colour::kRgb:
      return convert_row<Colour::kRgb>(row, width, wanted_, result);
    case Colour::kRgbAlpha:
      return convert_row<Colour::kRgbAlpha>(row, width, wanted_, result);
    case Colour::kCmyk:
      return convert_row<Colour::kCmyk>(row, width, wanted_, result);
    case Colour::kInvertedCmyk:
      return convert_row<Colour::kInvertedCmyk>(row, width, wanted_, result);
  }
}

void ChannelConverter::check(const uint8_t* row, int64_t width) const {
  const int64_t step = channels(from_);
  bool lossless = true;
  for (const uint8_t* pixel = row; pixel != row + width * step; pixel += step) {
    if (has_alpha(from_)) lossless &= pixel[step - 1] == kOpaque;
    if (has_colours(from_) && wanted_ == 1) lossless &= pixel[0] == pixel[1] && pixel[0] == pixel[2];
  }
  if (!lossless) throw mismatch(Reason::kWrongImageChannels, "channels", step, wanted_);
}

}  // namespace dl::images
