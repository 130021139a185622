#pragma once

#include <cstdint>
#include <vector>

#include "engine/model.h"
#include "reference/tensor.h"
#include "test/random.h"

namespace dl::test {

/// Images and labels in the form of the engine and in that of the reference.
struct Batch {
  PixelFormat format = PixelFormat::kUint8;
  std::vector<std::byte> pixels;  // (N, H, W, C)
  std::vector<int32_t> labels;    // (N)
  reference::Tensor images;       // (N, C, H, W), -127..128

  ImageBatch view() const { return {format, images.n, pixels}; }
};

/// Random pixels and labels below `classes`.
Batch random_batch(Random& random, ImageShape shape, int64_t count, int64_t classes, PixelFormat format);

/// `images`, whose values the format can hold, in both forms.
Batch make_batch(const reference::Tensor& images, std::vector<int32_t> labels, PixelFormat format);

}  // namespace dl::test
