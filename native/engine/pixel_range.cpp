#include "engine/pixel_range.h"

#include <algorithm>

#include "engine/error.h"

namespace dl {
namespace {

constexpr float kLowestPixel = -127.0f;
constexpr float kHighestPixel = 128.0f;

bool is_outside(float value) { return !(value >= kLowestPixel && value <= kHighestPixel); }

}  // namespace

void check_pixel_range(const ImageBatch& images, const ImageShape& shape) {
  if (images.format == PixelFormat::kUint8) return;
  const int64_t size = shape.size();
  for (int64_t n = 0; n < images.count; ++n) {
    const auto* image = reinterpret_cast<const float*>(images.image(n, shape));
    int outside = 0;
#pragma omp simd reduction(| : outside)
    for (int64_t i = 0; i < size; ++i) outside |= !((image[i] >= kLowestPixel) & (image[i] <= kHighestPixel));
    if (!outside) continue;
    const std::string value = std::to_string(*std::find_if(image, image + size, is_outside));
    throw Error(Reason::kImageOutOfRange, "image " + std::to_string(n) + " holds the value " + value + ", outside -127..128",
                {{"image", std::to_string(n)}, {"value", value}});
  }
}

}  // namespace dl
