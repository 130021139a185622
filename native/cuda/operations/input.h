#pragma once

#include <memory>

#include "cuda/operations/operations.h"
#include "engine/options.h"

namespace dl::cuda {

/// Pixels to the first activation: (g - 127) * scale + shift per channel. What only convolutions read has its channels padded
/// with zeros, so that a pixel is 16 bytes: tensor cores want that. forward() has nothing to do: the pixels arrive, and are
/// converted, before it.
class InputOperation : public Operation {
 public:
  void forward(const Pass& /*pass*/) override {}
  /// `pixels`: on the device, the first images of a sub-batch, beginning with the image `first`.
  virtual void convert(const Pass& pass, const void* pixels, PixelFormat format, int64_t first, int64_t images) const = 0;
};

std::unique_ptr<InputOperation> make_input_operation(PlanBuilder& builder, const FusedOperation& operation);

}  // namespace dl::cuda
