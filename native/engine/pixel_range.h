#pragma once

#include "engine/graph.h"
#include "engine/options.h"

namespace dl {

/// Throws kImageOutOfRange for the first float image that holds NaN, infinity or a value outside -127..128.
void check_pixel_range(const ImageBatch& images, const ImageShape& shape);

}  // namespace dl
