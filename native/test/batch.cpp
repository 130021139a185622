#include "test/batch.h"

#include <cmath>
#include <cstring>

namespace dl::test {

Batch random_batch(Random& random, ImageShape shape, int64_t count, int64_t classes, PixelFormat format) {
  reference::Tensor images(count, shape.channels, shape.height, shape.width);
  for (double& value : images.values) {
    value = format == PixelFormat::kUint8 ? static_cast<double>(random.integer(-127, 128))
                                          : static_cast<double>(static_cast<float>(random.uniform(-127, 128)));
  }
  std::vector<int32_t> labels;
  for (int64_t n = 0; n < count; ++n) labels.push_back(static_cast<int32_t>(random.integer(0, classes - 1)));
  return make_batch(images, std::move(labels), format);
}

Batch make_batch(const reference::Tensor& images, std::vector<int32_t> labels, PixelFormat format) {
  Batch batch{format, {}, std::move(labels), images};
  for (int64_t n = 0; n < images.n; ++n)
    for (int64_t h = 0; h < images.h; ++h)
      for (int64_t w = 0; w < images.w; ++w)
        for (int64_t c = 0; c < images.c; ++c) {
          const double value = images.at(n, c, h, w);
          if (format == PixelFormat::kUint8) {
            batch.pixels.push_back(static_cast<std::byte>(std::lround(value) + 127));
          } else {
            const auto single = static_cast<float>(value);
            const std::size_t end = batch.pixels.size();
            batch.pixels.resize(end + sizeof single);
            std::memcpy(&batch.pixels[end], &single, sizeof single);
          }
        }
  return batch;
}

}  // namespace dl::test
