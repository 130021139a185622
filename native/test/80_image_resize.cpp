// Resizing is the formula of images/resize.h, rounded to the nearest whole number, for all sizes.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "images/contrast.h"
#include "images/resize.h"
#include "test/pictures.h"
#include "test/refusal.h"

namespace dl::test {
namespace {

/// What float64 loses in sums of thousands of values.
constexpr double kFloat64 = 1e-9;

Bytes resize(const Bytes& pixels, ImageShape from, int64_t height, int64_t width) {
  Bytes result(static_cast<size_t>(height * width * from.channels));
  images::Resizer resizer(from.width, from.height, width, height, from.channels, result.data());
  for (int64_t y = 0; y < from.height; ++y) resizer.push(&pixels[static_cast<size_t>(y * from.width * from.channels)]);
  return result;
}

TEST_CASE("weights are those of the triangle, in whole numbers") {
  for (const auto& [n, m] : {std::pair{7, 3}, {3, 7}, {224, 224}, {640, 224}, {1, 9}, {9, 1}, {16, 4}, {5, 4}}) {
    CAPTURE(n);
    CAPTURE(m);
    const images::Axis axis(n, m);
    for (int64_t i = 0; i < m; ++i) {
      const auto at = static_cast<size_t>(i);
      double total = 0;
      for (int64_t j = 0; j < n; ++j) total += reference::resize_weight(i, j, n, m);
      for (int64_t j = 0; j < n; ++j) {
        const int64_t tap = j - axis.first[at];
        const bool within = tap >= 0 && tap < axis.begin[at + 1] - axis.begin[at];
        const double weight =
            within ? axis.weight[static_cast<size_t>(axis.begin[at] + tap)] / static_cast<double>(axis.sum[at]) : 0;
        CHECK(weight == doctest::Approx(reference::resize_weight(i, j, n, m) / total).epsilon(1e-12));
      }
    }
  }
}

TEST_CASE("any size becomes any other by the formula") {
  Random random(801);
  for (int i = 0; i < 150; ++i) {
    const ImageShape from{random.chance(0.5) ? 1 : 3, random.integer(1, 60), random.integer(1, 60)};
    const int64_t height = random.integer(1, 40), width = random.integer(1, 40);
    CAPTURE(from.height);
    CAPTURE(from.width);
    CAPTURE(height);
    CAPTURE(width);
    // Black and white alone brings the most equally near whole numbers and the largest sums.
    Bytes pixels = noise(random, from.size());
    if (random.chance(0.3)) {
      for (uint8_t& value : pixels) value = value < 128 ? 0 : 255;
    }
    REQUIRE(rounding_excess(resize(pixels, from, height, width), reference::resize(to_picture(pixels, from), height, width)) <
            kFloat64);
  }
}

TEST_CASE("of two equally near whole numbers the larger is taken") {
  CHECK(resize({0, 255, 255, 0}, {1, 2, 2}, 1, 1) == Bytes{128});
  CHECK(resize({0, 1}, {1, 1, 2}, 1, 1) == Bytes{1});
  CHECK(resize({10, 12, 13, 13}, {1, 1, 4}, 1, 2) == Bytes{11, 13});
}

TEST_CASE("the size that it has leaves an image as it is, and a uniform image is uniform at any size") {
  Random random(802);
  const ImageShape shape{3, 17, 23};
  const Bytes pixels = noise(random, shape.size());
  CHECK(resize(pixels, shape, 17, 23) == pixels);
  for (const uint8_t value : {0, 1, 127, 254, 255}) {
    const Bytes result = resize(Bytes(static_cast<size_t>(shape.size()), value), shape, 40, 5);
    CHECK(result == Bytes(static_cast<size_t>(40 * 5 * 3), value));
  }
}

TEST_CASE("very large images: sums beyond 32 bits, and the largest that Limits allow") {
  Random random(803);
  // 60,000 rows to 8: a column's sum is 450,000,000 before it is multiplied with a grey value.
  const ImageShape tall{1, 60000, 2};
  const Bytes pixels = noise(random, tall.size());
  CHECK(rounding_excess(resize(pixels, tall, 8, 2), reference::resize(to_picture(pixels, tall), 8, 2)) < 1e-6);
  Bytes result(64);
  CHECK_NOTHROW(images::Resizer(16383, 16383, 8, 8, 1, result.data()));
  CHECK_NOTHROW(images::Resizer(65535, 4095, 8, 8, 1, result.data()));
  CHECK(refuses(Reason::kInvalidArgument, [&] { images::Resizer(65535, 65535, 1, 1, 1, result.data()); }));
}

TEST_CASE("contrast: the darkest value becomes 0, the brightest 255, all others in proportion") {
  Random random(804);
  for (int i = 0; i < 200; ++i) {
    const int64_t low = random.integer(0, 255), high = random.integer(low, 255);
    Bytes values = noise(random, 300, low, high);
    const Bytes before = values;
    images::normalize_contrast(values);
    const auto [minimum, maximum] = std::minmax_element(before.begin(), before.end());
    for (size_t k = 0; k < values.size(); ++k) {
      const double range = *maximum - *minimum;
      const double wanted = range == 0 ? before[k] : std::floor((before[k] - *minimum) * 255.0 / range + 0.5);
      REQUIRE(values[k] == wanted);
    }
  }
}

}  // namespace
}  // namespace dl::test
