// Each change of an image against its formula, and the statistics of what is drawn.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "images/augmentation.h"
#include "test/pictures.h"

namespace dl::test {
namespace {

using images::Augmentation;
using images::Variation;

constexpr ImageShape kShape{3, 40, 60};
constexpr int kDraws = 20'000;

/// Whether a count out of kDraws is what a probability makes it, within four standard deviations.
bool is_share(int count, double probability, int draws = kDraws) {
  const double deviation = std::sqrt(draws * probability * (1 - probability));
  return std::abs(count - draws * probability) <= 4 * deviation;
}

std::vector<Variation> draws(const Augmentation& augmentation) {
  std::vector<Variation> result;
  for (uint32_t image = 0; image < kDraws; ++image) result.push_back(images::draw(augmentation, image, kShape));
  return result;
}

bool is_varied(const Variation& v) {
  return v.mirror_rows || v.mirror_columns || v.degrees || v.window || v.brightness || v.spot;
}

/// Checks that values are uniform on [low, high]: mean and quarters.
void check_uniform(const std::vector<double>& values, double low, double high) {
  double sum = 0;
  int quarters[4] = {};
  for (const double value : values) {
    REQUIRE(value >= low);
    REQUIRE(value <= high);
    sum += value;
    ++quarters[std::min(3, static_cast<int>(4 * (value - low) / (high - low)))];
  }
  const double n = static_cast<double>(values.size());
  CHECK(std::abs(sum / n - (low + high) / 2) < 4 * (high - low) / std::sqrt(12 * n));
  for (const int count : quarters) CHECK(is_share(count, 0.25, static_cast<int>(values.size())));
}

Augmentation everything() {
  Augmentation all;
  all.seed = 830;
  all.mirror = Augmentation::Mirror::kEither;
  all.rotation = Augmentation::RotationRange{20};
  all.crop = Augmentation::CropPercentage{80};
  all.brightness_variation = 30;
  all.brightness_variation_spot = 50;
  return all;
}

TEST_CASE("the percentage of the images is varied") {
  for (const double percentage : {0.0, 10.0, 37.5, 50.0, 99.0, 100.0}) {
    Augmentation augmentation;
    augmentation.seed = 1;
    augmentation.percentage = percentage;
    augmentation.mirror = Augmentation::Mirror::kColumns;
    int varied = 0;
    for (const Variation& v : draws(augmentation)) varied += is_varied(v);
    CHECK(is_share(varied, percentage / 100));
  }
}

TEST_CASE("one method each: all equally likely; all methods: every image gets every one") {
  Augmentation augmentation = everything();
  int counts[5] = {};
  for (const Variation& v : draws(augmentation)) {
    const int methods[] = {v.mirror_rows || v.mirror_columns, v.degrees.has_value(), v.window.has_value(),
                           v.brightness.has_value(), v.spot.has_value()};
    int sum = 0;
    for (int i = 0; i < 5; ++i) counts[i] += methods[i], sum += methods[i];
    REQUIRE(sum == 1);
  }
  for (const int count : counts) CHECK(is_share(count, 0.2));
  augmentation.choice = Augmentation::Choice::kAll;
  for (const Variation& v : draws(augmentation)) {
    REQUIRE((v.mirror_rows || v.mirror_columns));
    REQUIRE((v.degrees && v.window && v.brightness && v.spot));
  }
  CHECK_FALSE(is_varied(images::draw(Augmentation{}, 0, kShape)));
}

TEST_CASE("mirror: rows, columns, or either: rows, columns and both, a third each") {
  Augmentation augmentation;
  augmentation.mirror = Augmentation::Mirror::kRows;
  for (const Variation& v : draws(augmentation)) REQUIRE((v.mirror_rows && !v.mirror_columns));
  augmentation.mirror = Augmentation::Mirror::kColumns;
  for (const Variation& v : draws(augmentation)) REQUIRE((!v.mirror_rows && v.mirror_columns));
  augmentation.mirror = Augmentation::Mirror::kEither;
  std::map<std::pair<bool, bool>, int> counts;
  for (const Variation& v : draws(augmentation)) ++counts[{v.mirror_rows, v.mirror_columns}];
  CHECK(counts.size() == 3);
  for (const auto& [axes, count] : counts) CHECK(is_share(count, 1.0 / 3));
}

TEST_CASE("rotation: the multiples of the step, all equally likely, or any angle in the range") {
  Augmentation augmentation;
  for (const auto& [step, multiples] : {std::pair{90.0, 3}, {180.0, 1}, {45.0, 7}, {100.0, 3}}) {
    augmentation.rotation = Augmentation::RotationStep{step};
    std::map<double, int> counts;
    for (const Variation& v : draws(augmentation)) ++counts[*v.degrees];
    CHECK(counts.size() == static_cast<size_t>(multiples));
    for (const auto& [degrees, count] : counts) {
      CHECK(std::fmod(degrees, step) == 0);
      CHECK(degrees > 0);
      CHECK(degrees < 360);
      CHECK(is_share(count, 1.0 / multiples));
    }
  }
  augmentation.rotation = Augmentation::RotationRange{15};
  std::vector<double> angles;
  for (const Variation& v : draws(augmentation)) angles.push_back(*v.degrees);
  check_uniform(angles, -15, 15);
}

TEST_CASE("crop: a window of the size asked for, anywhere in the image") {
  Augmentation augmentation;
  augmentation.crop = Augmentation::CropPercentage{75};
  std::vector<double> rows, columns;
  for (const Variation& v : draws(augmentation)) {
    REQUIRE(v.window->height == 30);
    REQUIRE(v.window->width == 45);
    rows.push_back(static_cast<double>(v.window->row));
    columns.push_back(static_cast<double>(v.window->column));
  }
  CHECK(*std::min_element(rows.begin(), rows.end()) == 0);
  CHECK(*std::max_element(rows.begin(), rows.end()) == 10);
  CHECK(*std::max_element(columns.begin(), columns.end()) == 15);
  for (int row = 0; row <= 10; ++row) CHECK(is_share(static_cast<int>(std::count(rows.begin(), rows.end(), row)), 1.0 / 11));
  augmentation.crop = Augmentation::CropPixels{32};
  for (const Variation& v : draws(augmentation)) REQUIRE((v.window->height == 32 && v.window->width == 32));
  augmentation.crop = Augmentation::CropPercentage{0.1};
  CHECK(images::draw(augmentation, 0, kShape).window->height == 1);
}

TEST_CASE("brightness: uniform in -v .. v, of the whole image and of a spot") {
  Augmentation augmentation;
  augmentation.brightness_variation = 40;
  std::vector<double> offsets;
  for (const Variation& v : draws(augmentation)) offsets.push_back(*v.brightness);
  double sum = 0;
  for (const double offset : offsets) sum += offset;
  CHECK(std::abs(sum / kDraws) < 4 * 80 / std::sqrt(12.0 * kDraws));
  CHECK(*std::min_element(offsets.begin(), offsets.end()) == -40);
  CHECK(*std::max_element(offsets.begin(), offsets.end()) == 40);
  augmentation.brightness_variation = 0;
  augmentation.brightness_variation_spot = 60;
  std::vector<double> peaks, rows, columns, sigmas;
  for (const Variation& v : draws(augmentation)) {
    peaks.push_back(v.spot->peak);
    rows.push_back(v.spot->row);
    columns.push_back(v.spot->column);
    sigmas.push_back(v.spot->sigma);
  }
  check_uniform(peaks, -60, 60);
  check_uniform(rows, -0.5, 39.5);
  check_uniform(columns, -0.5, 59.5);
  check_uniform(sigmas, 5, 20);
}

TEST_CASE("seed, counter and image alone decide; a change of any changes what is drawn, another method does not") {
  const auto angle = [](uint64_t seed, uint64_t counter, uint32_t image, double brightness = 0) {
    Augmentation augmentation;
    augmentation.choice = Augmentation::Choice::kAll;
    augmentation.seed = seed;
    augmentation.counter = counter;
    augmentation.rotation = Augmentation::RotationRange{180};
    augmentation.brightness_variation = brightness;
    return *images::draw(augmentation, image, kShape).degrees;
  };
  CHECK(angle(1, 2, 3) == angle(1, 2, 3));
  CHECK(angle(1, 2, 3) == angle(1, 2, 3, 20));
  std::set<double> angles;
  for (const uint64_t seed : {uint64_t{0}, uint64_t{1}, uint64_t{1} << 32}) {
    for (const uint64_t counter : {uint64_t{0}, uint64_t{1}, uint64_t{1} << 32}) {
      for (const uint32_t image : {0u, 1u, 1000u}) angles.insert(angle(seed, counter, image));
    }
  }
  CHECK(angles.size() == 27);
}

TEST_CASE("mirroring exchanges rows or columns") {
  Random random(831);
  for (const ImageShape shape : {ImageShape{3, 5, 4}, {1, 4, 5}, {3, 1, 1}}) {
    const Bytes before = noise(random, shape.size());
    Bytes rows = before, columns = before;
    images::mirror_rows(shape, rows);
    images::mirror_columns(shape, columns);
    const auto at = [&](const Bytes& pixels, int64_t y, int64_t x, int64_t c) {
      return pixels[static_cast<size_t>((y * shape.width + x) * shape.channels + c)];
    };
    for (int64_t y = 0; y < shape.height; ++y) {
      for (int64_t x = 0; x < shape.width; ++x) {
        for (int64_t c = 0; c < shape.channels; ++c) {
          REQUIRE(at(rows, y, x, c) == at(before, shape.height - 1 - y, x, c));
          REQUIRE(at(columns, y, x, c) == at(before, y, shape.width - 1 - x, c));
        }
      }
    }
  }
}

Bytes rotated(const Bytes& pixels, ImageShape shape, double degrees) {
  Bytes result(pixels.size());
  images::rotate(degrees, shape, pixels, result);
  return result;
}

TEST_CASE("right angles move the pixels of a square image, counter-clockwise, and change none") {
  Random random(832);
  for (const int64_t side : {8, 9}) {
    const ImageShape shape{3, side, side};
    const Bytes before = noise(random, shape.size());
    const Bytes quarter = rotated(before, shape, 90);
    for (int64_t y = 0; y < side; ++y) {
      for (int64_t x = 0; x < side; ++x) {
        // The upper right corner comes to the upper left one.
        REQUIRE(quarter[static_cast<size_t>((y * side + x) * 3)] == before[static_cast<size_t>((x * side + side - 1 - y) * 3)]);
      }
    }
    CHECK(rotated(quarter, shape, 270) == before);
    CHECK(rotated(quarter, shape, -90) == before);
    CHECK(rotated(quarter, shape, 90) == rotated(before, shape, 180));
    CHECK(rotated(before, shape, 360) == before);
  }
}

TEST_CASE("any angle is the float64 reference but for the 2048 places between two pixels") {
  Random random(833);
  for (int i = 0; i < 60; ++i) {
    const ImageShape shape{random.chance(0.5) ? 1 : 3, random.integer(1, 40), random.integer(1, 40)};
    const double degrees = random.uniform(-180, 360);
    CAPTURE(shape.height);
    CAPTURE(shape.width);
    CAPTURE(degrees);
    const Bytes pixels = noise(random, shape.size());
    // Half a place aside along both axes, between pixels that differ by up to 255.
    REQUIRE(rounding_excess(rotated(pixels, shape, degrees), reference::rotate(to_picture(pixels, shape), degrees)) <=
            2 * 255.0 / 2 / 2048 + 1e-6);
  }
}

TEST_CASE("a crop is the window, resized") {
  Random random(834);
  const ImageShape shape{3, 20, 30};
  const Bytes pixels = noise(random, shape.size());
  for (const images::Window window : {images::Window{0, 0, 20, 30}, {3, 5, 10, 11}, {19, 29, 1, 1}, {0, 28, 15, 2}}) {
    reference::Picture part{window.height, window.width, 3, {}};
    const reference::Picture whole = to_picture(pixels, shape);
    for (int64_t y = 0; y < window.height; ++y) {
      for (int64_t x = 0; x < window.width; ++x) {
        for (int64_t c = 0; c < 3; ++c) part.values.push_back(whole.at(window.row + y, window.column + x, c));
      }
    }
    Bytes result(pixels.size());
    images::enlarge(window, shape, pixels, result);
    CHECK(rounding_excess(result, reference::resize(part, 20, 30)) < 1e-9);
  }
}

TEST_CASE("brightness adds and stays within 0..255; a spot fades as the bell curve does") {
  Bytes values{0, 1, 100, 254, 255};
  images::brighten(3, values);
  CHECK(values == Bytes{3, 4, 103, 255, 255});
  images::brighten(-100, values);
  CHECK(values == Bytes{0, 0, 3, 155, 155});
  Random random(835);
  const ImageShape shape{3, 30, 20};
  for (const images::Spot spot : {images::Spot{80, 10.3, 7.7, 5}, {-255, 0, 0, 12}, {255, 29.4, 19.4, 2.5}, {0.4, 5, 5, 3}}) {
    const Bytes before = noise(random, shape.size());
    Bytes after = before;
    images::brighten_spot(spot, shape, after);
    // The profiles are rounded to 2^-15 and the peak to 2^-8.
    const double tolerance = std::abs(spot.peak) * 2.1 / 65536 + 1.0 / 512;
    CHECK(rounding_excess(after, reference::add_spot(to_picture(before, shape), spot.peak, spot.row, spot.column, spot.sigma)) <=
          tolerance);
  }
}

TEST_CASE("all changes together are the single ones in their order") {
  Random random(836);
  const Bytes before = noise(random, kShape.size());
  const Variation variation{true, true, 12.5, images::Window{2, 3, 30, 40}, -7, images::Spot{40, 10, 20, 9}};
  Bytes together = before, one = before, other(before.size());
  images::vary(variation, kShape, together);
  images::mirror_rows(kShape, one);
  images::mirror_columns(kShape, one);
  images::rotate(12.5, kShape, one, other);
  images::enlarge(*variation.window, kShape, other, one);
  images::brighten(-7, one);
  images::brighten_spot(*variation.spot, kShape, one);
  CHECK(together == one);
}

}  // namespace
}  // namespace dl::test
