#pragma once

#include <cstdint>

namespace dl::images {

/// What an image file may ask for. Everything is checked before the first pixel is decoded, but the scans, which only decoding
/// shows.
struct Limits {
  /// Bytes of the file.
  int64_t file_bytes = int64_t{256} << 20;
  /// Width and height.
  int64_t extent = 65535;
  /// Width * height: the largest square whose sides have 14 bits.
  int64_t pixels = int64_t{0x3fff} * 0x3fff;
  /// Width * height of an image that is decoded to be resized, which takes time for every pixel: half a second for so many.
  int64_t resized_pixels = int64_t{8192} * 8192;
  /// Bytes that one image may hold while it is decoded, which only progressive JPEG and interlaced PNG do: others are read row by
  /// row.
  int64_t working_bytes = int64_t{512} << 20;
  /// Scans of a progressive JPEG. Encoders make about 10; each further one costs a pass over the whole image.
  int scans = 64;
};

}  // namespace dl::images
