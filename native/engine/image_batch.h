#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

#include "engine/graph.h"

namespace dl {

enum class PixelFormat { kUint8, kFloat32 };

/// Images of (height, width, channels) each, row by row; uint8 g stands for g - 127.
struct ImageBatch {
  PixelFormat format = PixelFormat::kUint8;
  int64_t count = 0;
  /// All of them one after the other, unless `images` says where each lies.
  std::span<const std::byte> pixels;
  /// Two batches of the same id, unless it is 0, have the same pixels.
  uint64_t id = 0;
  /// (count)
  std::span<const std::span<const std::byte>> images = {};

  int64_t value_bytes() const { return format == PixelFormat::kUint8 ? 1 : 4; }
  int64_t image_bytes(const ImageShape& shape) const { return shape.size() * value_bytes(); }
  /// Whether at least so many images of this shape are there.
  bool hold(int64_t wanted, const ImageShape& shape) const {
    const auto bytes = static_cast<size_t>(image_bytes(shape));
    if (images.empty()) return pixels.size() / bytes >= static_cast<size_t>(wanted);
    return images.size() >= static_cast<size_t>(wanted) &&
           std::all_of(images.begin(), images.begin() + wanted, [&](const auto& image) { return image.size() == bytes; });
  }
  /// The pixels of one image of this shape.
  const std::byte* image(int64_t index, const ImageShape& shape) const {
    return images.empty() ? pixels.data() + index * image_bytes(shape) : images[static_cast<size_t>(index)].data();
  }
  /// The images [first, first + wanted) of this shape.
  ImageBatch slice(int64_t first, int64_t wanted, const ImageShape& shape) const {
    ImageBatch part{format, wanted, {}, 0, {}};
    const int64_t bytes = image_bytes(shape);
    if (images.empty()) {
      part.pixels = pixels.subspan(static_cast<size_t>(first * bytes), static_cast<size_t>(wanted * bytes));
    } else {
      part.images = images.subspan(static_cast<size_t>(first), static_cast<size_t>(wanted));
    }
    return part;
  }
};

}  // namespace dl
