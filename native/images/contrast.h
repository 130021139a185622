#pragma once

#include <cstdint>
#include <span>

namespace dl::images {

/// In place: floor(((g - min) 255) / (max - min) + 1/2), with min and max over all values of the image, all channels. A uniform
/// image stays as it is.
void normalize_contrast(std::span<uint8_t> values);

}  // namespace dl::images
