// JPEG files give libjpeg-turbo's own pixels, PNG files those that went in, whatever their kind; then crop, colours, size.
#include <doctest/doctest.h>

#include <algorithm>

#include "images/prepare.h"
#include "test/pictures.h"
#include "test/refusal.h"

namespace dl::test {
namespace {

const std::atomic<bool> kWanted{false};

images::ImageTask task(std::span<const std::byte> source, ImageShape shape, bool exact) {
  images::ImageTask result{.source = source, .pixels = {}, .shape = shape, .preprocessing = {}, .augmentation = {}};
  result.preprocessing.exact = exact;
  return result;
}

Bytes prepared(const images::ImageTask& task) {
  Bytes result(static_cast<size_t>(task.shape.size()));
  images::prepare(task, {}, kWanted, result);
  return result;
}

/// As they are in the file.
Bytes decoded(const Bytes& file, ImageShape shape) { return prepared(task(as_file(file), shape, true)); }

Bytes resized(const Bytes& file, ImageShape shape) { return prepared(task(as_file(file), shape, false)); }

Bytes repeated(const Bytes& grey) {
  Bytes rgb;
  for (const uint8_t value : grey) rgb.insert(rgb.end(), 3, value);
  return rgb;
}

Bytes grey_values(const Bytes& rgb) {
  Bytes grey;
  for (size_t i = 0; i < rgb.size(); i += 3) {
    grey.push_back(static_cast<uint8_t>((299 * rgb[i] + 587 * rgb[i + 1] + 114 * rgb[i + 2] + 500) / 1000));
  }
  return grey;
}

TEST_CASE("JPEG at its own size is libjpeg-turbo's decoding, baseline and progressive, grey and colour, all samplings") {
  Random random(811);
  for (const bool progressive : {false, true}) {
    for (const bool subsampled : {false, true}) {
      for (const int64_t channels : {1, 3}) {
        const ImageShape shape{channels, 45, 61};
        const Bytes file =
            encode_jpeg(soft_noise(random, shape), shape, {.progressive = progressive, .chroma_subsampled = subsampled});
        ImageShape own;
        CHECK(decoded(file, shape) == decode_jpeg(file, 8, false, own));
      }
    }
  }
}

TEST_CASE("a JPEG that is resized is decoded at the smallest eighth that is large enough, then resized by the formula") {
  Random random(812);
  const ImageShape shape{3, 97, 130};
  const Bytes file = encode_jpeg(soft_noise(random, shape), shape);
  for (const auto& [height, width, scale] : {std::tuple{12, 16, 1},
                                             {13, 17, 1},
                                             {14, 17, 2},
                                             {13, 18, 2},
                                             {24, 32, 2},
                                             {37, 49, 3},
                                             {60, 80, 5},
                                             {85, 114, 7},
                                             {97, 130, 8},
                                             {110, 60, 8}}) {
    CAPTURE(height);
    CAPTURE(width);
    ImageShape scaled;
    const Bytes pixels = decode_jpeg(file, scale, false, scaled);
    const reference::Picture wanted = reference::resize(to_picture(pixels, scaled), height, width);
    CHECK(rounding_excess(resized(file, {3, height, width}), wanted) < 1e-9);
    const Bytes luma = decode_jpeg(file, scale, true, scaled);
    const reference::Picture grey = reference::resize(to_picture(luma, scaled), height, width);
    CHECK(rounding_excess(resized(file, {1, height, width}), grey) < 1e-9);
  }
}

TEST_CASE("CMYK JPEG: inks to RGB by the formula, as Adobe's programs invert them, or refused where it must be exact") {
  Random random(813);
  const ImageShape shape{4, 16, 24};
  const Bytes inks = soft_noise(random, shape);
  for (const bool adobe : {true, false}) {
    const Bytes file = encode_jpeg(inks, shape, {.quality = 100, .cmyk = true, .adobe_marker = adobe});
    ImageShape own;
    const Bytes stored = decode_jpeg(file, 8, false, own);
    REQUIRE(own == shape);
    Bytes wanted;
    for (size_t i = 0; i < stored.size(); i += 4) {
      for (size_t c = 0; c < 3; ++c) {
        const int ink = adobe ? stored[i + c] : 255 - stored[i + c], black = adobe ? stored[i + 3] : 255 - stored[i + 3];
        wanted.push_back(static_cast<uint8_t>((ink * black + 127) / 255));
      }
    }
    CHECK(resized(file, {3, 16, 24}) == wanted);
    CHECK(resized(file, {1, 16, 24}) == grey_values(wanted));
    const auto error = refusal([&] { decoded(file, {3, 16, 24}); });
    REQUIRE(error);
    CHECK(error->reason() == Reason::kWrongImageChannels);
    CHECK(error->metadata().at("got") == "4");
  }
}

TEST_CASE("PNG of every kind gives the pixels that went in") {
  Random random(814);
  for (const bool interlaced : {false, true}) {
    CAPTURE(interlaced);
    const Bytes grey = noise(random, 11 * 13), rgb = noise(random, 11 * 13 * 3);
    CHECK(decoded(encode_png(grey, {1, 11, 13}, {.interlaced = interlaced}), {1, 11, 13}) == grey);
    CHECK(decoded(encode_png(grey, {1, 11, 13}, {.interlaced = interlaced}), {3, 11, 13}) == repeated(grey));
    CHECK(decoded(encode_png(rgb, {3, 11, 13}, {.interlaced = interlaced}), {3, 11, 13}) == rgb);
    const Bytes wide = noise(random, 11 * 13 * 3 * 2);
    Bytes upper;
    for (size_t i = 0; i < wide.size(); i += 2) upper.push_back(wide[i]);
    CHECK(decoded(encode_png(wide, {3, 11, 13}, {.bits = 16, .interlaced = interlaced}), {3, 11, 13}) == upper);
    for (const int bits : {1, 2, 4}) {
      const int largest = (1 << bits) - 1;
      const Bytes few = noise(random, 11 * 13, 0, largest);
      Bytes expanded;
      for (const uint8_t value : few) expanded.push_back(static_cast<uint8_t>(value * 255 / largest));
      CHECK(decoded(encode_png(few, {1, 11, 13}, {.bits = bits, .interlaced = interlaced}), {1, 11, 13}) == expanded);
      const Bytes colours = noise(random, 3 * (largest + 1));
      Bytes looked_up;
      for (const uint8_t value : few) looked_up.insert(looked_up.end(), &colours[3 * value], &colours[3 * value] + 3);
      const PngOptions palette{.bits = bits, .interlaced = interlaced, .palette = true, .colours = colours, .alphas = {}};
      CHECK(decoded(encode_png(few, {1, 11, 13}, palette), {3, 11, 13}) == looked_up);
    }
  }
}

TEST_CASE("alpha: dropped where the image is resized; where it must be exact, dropped if opaque and refused if not") {
  Random random(815);
  const Bytes rgb = noise(random, 5 * 7 * 3);
  for (const bool opaque : {true, false}) {
    Bytes rgba;
    for (size_t i = 0; i < rgb.size(); i += 3) {
      rgba.insert(rgba.end(), &rgb[i], &rgb[i] + 3);
      rgba.push_back(opaque || i != 30 ? 255 : 254);
    }
    const Bytes file = encode_png(rgba, {4, 5, 7});
    CHECK(resized(file, {3, 5, 7}) == rgb);
    CHECK(resized(file, {1, 5, 7}) == grey_values(rgb));
    if (opaque) CHECK(decoded(file, {3, 5, 7}) == rgb);
    if (!opaque) CHECK(refuses(Reason::kWrongImageChannels, [&] { decoded(file, {3, 5, 7}); }));
  }
  const PngOptions transparent{.bits = 8, .interlaced = false, .palette = true, .colours = {1, 2, 3, 4, 5, 6}, .alphas = {0}};
  CHECK(decoded(encode_png(Bytes(4, 1), {1, 2, 2}, transparent), {3, 2, 2}) == Bytes{4, 5, 6, 4, 5, 6, 4, 5, 6, 4, 5, 6});
  CHECK(refuses(Reason::kWrongImageChannels, [&] { decoded(encode_png(Bytes(4, 0), {1, 2, 2}, transparent), {3, 2, 2}); }));
}

TEST_CASE("an exact image has the size, and becomes grey only if it is") {
  Random random(816);
  const Bytes grey = noise(random, 6 * 8);
  CHECK(decoded(encode_png(repeated(grey), {3, 6, 8}), {1, 6, 8}) == grey);
  CHECK(refuses(Reason::kWrongImageChannels, [&] { decoded(encode_png(noise(random, 6 * 8 * 3), {3, 6, 8}), {1, 6, 8}); }));
  for (const bool jpeg : {true, false}) {
    const Bytes file = jpeg ? encode_jpeg(grey, {1, 6, 8}) : encode_png(grey, {1, 6, 8});
    const auto width = refusal([&] { decoded(file, {1, 6, 9}); });
    REQUIRE(width);
    CHECK(width->reason() == Reason::kWrongImageWidth);
    CHECK(width->metadata() == Metadata{{"got", "8"}, {"wanted", "9"}});
    CHECK(refuses(Reason::kWrongImageHeight, [&] { decoded(file, {1, 7, 8}); }));
  }
}

TEST_CASE("a domain is the part of the image that is used, in its own pixels, before it is resized") {
  Random random(817);
  const ImageShape shape{3, 40, 50};
  const Bytes pixels = soft_noise(random, shape);
  const images::Window domain{7, 11, 20, 30};
  for (const Bytes& file :
       {encode_png(pixels, shape), encode_png(pixels, shape, {.interlaced = true}), encode_jpeg(pixels, shape)}) {
    const Bytes whole = decoded(file, shape);
    Bytes part;
    for (int64_t y = 7; y < 27; ++y)
      part.insert(part.end(), &whole[static_cast<size_t>((y * 50 + 11) * 3)], &whole[static_cast<size_t>((y * 50 + 41) * 3)]);
    images::ImageTask cropped = task(as_file(file), {3, 9, 8}, false);
    cropped.preprocessing.domain = domain;
    CHECK(rounding_excess(prepared(cropped), reference::resize(to_picture(part, {3, 20, 30}), 9, 8)) < 1e-9);
    cropped.preprocessing.domain = images::Window{0, 0, 40, 50};
    CHECK_NOTHROW(prepared(cropped));
    for (const images::Window& beyond :
         {images::Window{0, 0, 41, 50}, images::Window{0, 1, 40, 50}, images::Window{-1, 0, 5, 5}, images::Window{3, 3, 0, 5}}) {
      cropped.preprocessing.domain = beyond;
      CHECK(refuses(Reason::kInvalidArgument, [&] { prepared(cropped); }));
    }
  }
}

TEST_CASE("pixels that are there already go the same way as a file") {
  Random random(818);
  const ImageShape shape{3, 21, 34};
  const Bytes pixels = noise(random, shape.size());
  images::ImageTask from_pixels = task(as_file(pixels), {1, 10, 12}, false);
  from_pixels.pixels = images::Header{34, 21, images::Colour::kRgb};
  from_pixels.preprocessing.normalize_contrast = true;
  images::ImageTask from_file = from_pixels;
  const Bytes file = encode_png(pixels, shape);
  from_file.source = as_file(file);
  from_file.pixels.reset();
  const Bytes result = prepared(from_pixels);
  CHECK(result == prepared(from_file));
  CHECK(*std::min_element(result.begin(), result.end()) == 0);
  CHECK(*std::max_element(result.begin(), result.end()) == 255);
  from_pixels.pixels->height = 22;
  CHECK(refuses(Reason::kInvalidArgument, [&] { prepared(from_pixels); }));
}

TEST_CASE("an image that is no longer wanted ends early") {
  Random random(819);
  const Bytes file = encode_jpeg(soft_noise(random, {3, 64, 64}), {3, 64, 64}, {.progressive = true});
  const std::atomic<bool> cancelled{true};
  Bytes result(64 * 64 * 3);
  CHECK(refuses(Reason::kCancelled, [&] { images::prepare(task(as_file(file), {3, 64, 64}, true), {}, cancelled, result); }));
}

}  // namespace
}  // namespace dl::test
