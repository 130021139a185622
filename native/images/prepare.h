#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "images/augmentation.h"
#include "images/limits.h"
#include "images/reader.h"

namespace dl::images {

/// How an image is brought to the size that a classifier takes.
struct Preprocessing {
  /// Refuse what is not of this size and these channels already, so that nothing is lost; else crop, convert, resize.
  bool exact = true;
  /// The part of the image that is used, in its own pixels; the whole image where absent.
  std::optional<Window> domain;
  bool normalize_contrast = false;
};

/// One image on its way to the network.
struct ImageTask {
  /// An image file, or pixels where `pixels` says what they are.
  std::span<const std::byte> source;
  std::optional<Header> pixels;
  /// Of the result; 1 or 3 channels.
  ImageShape shape;
  Preprocessing preprocessing;
  std::optional<Augmentation> augmentation;
  /// Position in the batch, for the augmentation.
  uint32_t index = 0;
};

/// Decodes, crops, converts, resizes, stretches and varies an image, in this order, into `result` (height, width, channels). The
/// result depends on the task alone. May end early once `cancelled`.
///
/// Throws kImageUndecodable (metadata: problem); kWrongImageWidth, kWrongImageHeight, kWrongImageChannels (got, wanted) where the
/// image must be exact; kInvalidArgument for a domain beyond the image; kCancelled. What `result` then holds is of no use.
void prepare(const ImageTask& task, const Limits& limits, const std::atomic<bool>& cancelled, std::span<uint8_t> result);

}  // namespace dl::images
