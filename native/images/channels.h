#pragma once

#include <cstdint>

#include "images/reader.h"

namespace dl::images {

/// Makes rows of 1 or 3 channels of what a reader gives.
///
///     grey to RGB      R = G = B = g
///     RGB to grey      g = floor((299 R + 587 G + 114 B + 500) / 1000)
///     CMYK to RGB      R = floor(((255 - C) (255 - K) + 127) / 255), G and B of M and Y; inverted CMYK: R = floor((C K + 127) /
///     255) alpha            dropped
///
/// `exact` converts nothing that loses something: RGB becomes grey only where R = G = B, alpha is dropped only where it is 255;
/// anything else throws kWrongImageChannels.
class ChannelConverter {
 public:
  ChannelConverter(Colour from, int64_t wanted, bool exact);

  /// Whether rows are as wanted already.
  bool identity() const { return channels(from_) == wanted_; }
  /// `width` pixels.
  void convert(const uint8_t* row, int64_t width, uint8_t* result) const;

 private:
  void check(const uint8_t* row, int64_t width) const;

  const Colour from_;
  const int64_t wanted_;
  const bool exact_;
};

}  // namespace dl::images
