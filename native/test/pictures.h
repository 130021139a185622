#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "engine/graph.h"
#include "reference/image.h"
#include "test/random.h"

namespace dl::test {

using Bytes = std::vector<uint8_t>;

inline std::span<const std::byte> as_file(const Bytes& bytes) { return std::as_bytes(std::span(bytes)); }

Bytes noise(Random& random, int64_t count, int64_t lowest = 0, int64_t highest = 255);

/// Noise without its highest frequencies, as photographs are.
Bytes soft_noise(Random& random, ImageShape shape);

reference::Picture to_picture(const Bytes& pixels, ImageShape shape);

/// How far `pixels` are from being `picture` rounded: 0 where each is the nearest whole number, or either of two equally near
/// ones.
double rounding_excess(const Bytes& pixels, const reference::Picture& picture);

struct JpegOptions {
  int quality = 90;
  bool progressive = false;
  bool chroma_subsampled = true;
  /// (height, width, 4) inks, as Adobe's programs write them or without their marker; else grey or RGB.
  bool cmyk = false;
  bool adobe_marker = true;
};
Bytes encode_jpeg(const Bytes& pixels, ImageShape shape, const JpegOptions& options = {});

/// libjpeg-turbo's own decoding with its default settings, at scale / 8. `grey`: its grey values.
Bytes decode_jpeg(const Bytes& file, int scale, bool grey, ImageShape& shape);

struct PngOptions {
  int bits = 8;
  bool interlaced = false;
  bool palette = false;  // `pixels` are then indices into `colours`
  Bytes colours = {};    // (entries, 3)
  Bytes alphas = {};     // of the palette's first entries, or empty
};
/// Grey, grey and alpha, RGB or RGB and alpha by the number of channels; values of 16 bits are two bytes, the upper one first.
Bytes encode_png(const Bytes& pixels, ImageShape shape, const PngOptions& options = {});

}  // namespace dl::test
