#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "images/limits.h"

namespace dl::images {

/// What the values of a pixel are. Alpha is the last one.
enum class Colour {
  kGrey,
  kGreyAlpha,
  kRgb,
  kRgbAlpha,
  kCmyk,          // 0: no ink
  kInvertedCmyk,  // 255: no ink, as Adobe's programs write it
};

constexpr int64_t channels(Colour colour) {
  switch (colour) {
    case Colour::kGrey:
      return 1;
    case Colour::kGreyAlpha:
      return 2;
    case Colour::kRgb:
      return 3;
    default:
      return 4;
  }
}

struct Header {
  int64_t width = 0;
  int64_t height = 0;
  Colour colour = Colour::kGrey;
};

/// How an image is wanted. A reader may give more than this, never less.
struct DecodeRequest {
  /// Smallest size that will do where the file can be decoded smaller at less cost; 0: exactly the file's size.
  int64_t least_width = 0;
  int64_t least_height = 0;
  /// Whether grey values alone will do.
  bool grey = false;
  /// A long decoding ends with some error once this is true.
  const std::atomic<bool>* cancelled = nullptr;
};

/// An image that is decoded row by row, 8 bits a value, from top to bottom.
class Reader {
 public:
  virtual ~Reader() = default;

  /// The file's own size and colours.
  virtual Header header() const = 0;
  /// Once, before the first row; tells what the rows will be.
  virtual Header begin(const DecodeRequest& request) = 0;
  /// The next row: width * channels(colour) values. Throws kImageUndecodable.
  virtual void read(uint8_t* row) = 0;
};

/// A reader of a JPEG or PNG file, which must outlive it; throws kImageUndecodable for anything else and what exceeds the limits.
std::unique_ptr<Reader> open_file(std::span<const std::byte> file, const Limits& limits);

/// A reader of interleaved pixels that are there already (height, width, channels); throws kInvalidArgument where they are not
/// that many.
std::unique_ptr<Reader> open_pixels(std::span<const std::byte> pixels, const Header& header);

std::unique_ptr<Reader> open_jpeg(std::span<const std::byte> file, const Limits& limits);
std::unique_ptr<Reader> open_png(std::span<const std::byte> file, const Limits& limits);

/// Throws kImageUndecodable where an image of this size is beyond the limits.
void check_size(int64_t width, int64_t height, const Limits& limits);

}  // namespace dl::images
