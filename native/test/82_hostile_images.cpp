// Files that mean harm, or have come to harm, are refused with kImageUndecodable and cost next to nothing.
#include <doctest/doctest.h>
#include <zlib.h>

#include <algorithm>
#include <string>

#include "images/prepare.h"
#include "test/pictures.h"
#include "test/refusal.h"

namespace dl::test {
namespace {

const std::atomic<bool> kWanted{false};
constexpr ImageShape kTarget{3, 16, 16};

std::optional<Error> result_of(const Bytes& file, const images::Limits& limits = {}, bool exact = false) {
  Bytes result(static_cast<size_t>(kTarget.size()));
  images::ImageTask task{.source = as_file(file), .pixels = {}, .shape = kTarget, .preprocessing = {}, .augmentation = {}};
  task.preprocessing.exact = exact;
  return refusal([&] { images::prepare(task, limits, kWanted, result); });
}

/// What is said against the file; empty where nothing is.
std::string problem(const Bytes& file, const images::Limits& limits = {}) {
  const auto error = result_of(file, limits);
  if (!error) return "";
  return error->reason() == Reason::kImageUndecodable ? error->metadata().at("problem")
                                                      : std::string("another reason: ") + error->what();
}

bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

void put_big_endian(Bytes& file, size_t place, uint32_t value) {
  for (int i = 0; i < 4; ++i) file[place + static_cast<size_t>(i)] = static_cast<uint8_t>(value >> (24 - 8 * i));
}

/// A PNG whose header says another size, with a valid checksum.
Bytes promised(Bytes file, uint32_t width, uint32_t height) {
  put_big_endian(file, 16, width);
  put_big_endian(file, 20, height);
  put_big_endian(file, 29, static_cast<uint32_t>(crc32(0, &file[12], 17)));
  return file;
}

std::vector<Bytes> good_files() {
  Random random(821);
  const ImageShape colour{3, 48, 40}, grey{1, 48, 40};
  const Bytes pixels = soft_noise(random, colour);
  return {encode_jpeg(pixels, colour), encode_jpeg(pixels, colour, {.progressive = true}),
          encode_jpeg(soft_noise(random, grey), grey), encode_png(pixels, colour),
          encode_png(pixels, colour, {.interlaced = true})};
}

TEST_CASE("no file, text, other kinds of files") {
  CHECK(problem({}) != "");
  CHECK(problem({'h', 'e', 'l', 'l', 'o'}) != "");
  CHECK(problem({0xff, 0xd8, 0xff}) != "");
  CHECK(problem({0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'}) != "");
}

TEST_CASE("a file that is cut off anywhere is undecodable") {
  for (const Bytes& whole : good_files()) {
    REQUIRE(problem(whole) == "");
    for (size_t length = 0; length + 2 < whole.size(); length += 7) {
      CAPTURE(length);
      REQUIRE(problem(Bytes(whole.begin(), whole.begin() + static_cast<int64_t>(length))) != "");
    }
  }
}

TEST_CASE("each limit is checked by the header and named") {
  for (const Bytes& file : good_files()) {
    CHECK(contains(problem(file, {.pixels = 48 * 40 - 1}), "pixel limit"));
    CHECK(contains(problem(file, {.extent = 47}), "side limit"));
    CHECK(contains(problem(file, {.file_bytes = static_cast<int64_t>(file.size()) - 1}), "bytes"));
    CHECK(problem(file, {.file_bytes = static_cast<int64_t>(file.size()), .extent = 48, .pixels = 48 * 40}) == "");
  }
  const Bytes png = good_files()[3];
  CHECK(contains(problem(promised(png, 8193, 8192)), "pixel limit of 67108864"));
  CHECK(contains(problem(promised(png, 30000, 40000)), "pixel limit"));
  CHECK(contains(problem(promised(png, 0x7fffffff, 0x7fffffff)), "pixel limit"));
  CHECK(contains(problem(promised(png, 70000, 1)), "side limit"));
  CHECK(problem(promised(png, 0, 10)) != "");
  // So much is allowed and promised, but does not come.
  CHECK(problem(promised(png, 8192, 8192)) != "");
  // By its header, where its size must be exact.
  const auto exact = result_of(promised(png, 16000, 16000), {}, true);
  REQUIRE(exact);
  CHECK(exact->reason() == Reason::kWrongImageWidth);
}

TEST_CASE("memory: a progressive JPEG and an interlaced PNG need the whole image at once, and have a limit of their own") {
  Random random(822);
  const ImageShape shape{3, 300, 300};
  const Bytes pixels = soft_noise(random, shape);
  const images::Limits limits{.working_bytes = 200'000};
  CHECK(problem(encode_jpeg(pixels, shape), limits) == "");
  CHECK(problem(encode_png(pixels, shape), limits) == "");
  CHECK(problem(encode_jpeg(pixels, shape, {.progressive = true}), limits) != "");
  CHECK(contains(problem(encode_png(pixels, shape, {.interlaced = true}), limits), "interlaced"));
}

TEST_CASE("scans: a JPEG that repeats its last scan a thousand times is refused at the limit") {
  Random random(823);
  const ImageShape shape{1, 64, 64};
  const Bytes file = encode_jpeg(soft_noise(random, shape), shape, {.progressive = true});
  // From the last start of scan to the end of the image.
  constexpr uint8_t kStartOfScan[] = {0xff, 0xda};
  const auto scan = std::find_end(file.begin(), file.end(), std::begin(kStartOfScan), std::end(kStartOfScan));
  const auto repeated = [&](int times) {
    Bytes result(file.begin(), scan);
    for (int i = 0; i < times; ++i) result.insert(result.end(), scan, file.end() - 2);
    result.insert(result.end(), {0xff, 0xd9});
    return result;
  };
  REQUIRE(problem(repeated(1)) == "");
  CHECK(problem(repeated(1000)) != "");
  // A first AC scan may be repeated without a warning of the library: then it is the limit that ends it.
  CHECK(contains(problem(file, {.scans = 3}), "more than 3 scans"));
}

TEST_CASE("a PNG whose data are longer than its image costs no more than its image") {
  // 8 MiB of zeros behind a row of 16 pixels.
  const Bytes good = encode_png(Bytes(16 * 3), {3, 1, 16});
  Bytes data(static_cast<size_t>(8) << 20);
  uLongf packed_bytes = compressBound(data.size());
  Bytes packed(packed_bytes);
  REQUIRE(compress2(packed.data(), &packed_bytes, data.data(), data.size(), 9) == Z_OK);
  Bytes chunk{0, 0, 0, 0, 'I', 'D', 'A', 'T'};
  chunk.insert(chunk.end(), packed.begin(), packed.begin() + static_cast<int64_t>(packed_bytes));
  put_big_endian(chunk, 0, static_cast<uint32_t>(packed_bytes));
  const auto checksum = static_cast<uint32_t>(crc32(0, &chunk[4], static_cast<uInt>(chunk.size() - 4)));
  chunk.resize(chunk.size() + 4);
  put_big_endian(chunk, chunk.size() - 4, checksum);
  Bytes file(good.begin(), good.begin() + 33);
  file.insert(file.end(), chunk.begin(), chunk.end());
  file.insert(file.end(), good.end() - 12, good.end());
  CHECK(problem(file) == "");
}

TEST_CASE("a changed bit in a PNG is found by its checksums, wherever it is") {
  const Bytes good = good_files()[3];
  Random random(824);
  for (int i = 0; i < 300; ++i) {
    Bytes file = good;
    file[static_cast<size_t>(random.integer(0, static_cast<int64_t>(file.size()) - 1))] ^=
        static_cast<uint8_t>(1 << random.integer(0, 7));
    REQUIRE(problem(file) != "");
  }
}

/// Renews the checksums of all chunks that are still whole, so that changes get as far as the decoder.
void renew_checksums(Bytes& png) {
  for (size_t place = 8; place + 12 <= png.size();) {
    size_t length = 0;
    for (size_t i = 0; i < 4; ++i) length = length << 8 | png[place + i];
    if (length > png.size() - place - 12) return;
    put_big_endian(png, place + 8 + length, static_cast<uint32_t>(crc32(0, &png[place + 4], static_cast<uInt>(length + 4))));
    place += length + 12;
  }
}

TEST_CASE("thousands of damaged files: each is decoded or refused, and nothing else happens") {
  Random random(825);
  const images::Limits limits{.pixels = 1 << 20, .working_bytes = 16 << 20};
  int refused = 0, decoded = 0;
  for (const Bytes& good : good_files()) {
    for (int i = 0; i < 600; ++i) {
      Bytes file = good;
      for (int64_t changes = random.integer(1, 8); changes > 0; --changes) {
        const auto place = static_cast<size_t>(random.integer(0, static_cast<int64_t>(file.size()) - 1));
        switch (random.integer(0, 4)) {
          case 0:
            file[place] ^= static_cast<uint8_t>(1 << random.integer(0, 7));
            break;
          case 1:
            file[place] = static_cast<uint8_t>(random.integer(0, 255));
            break;
          case 2:
            file.resize(place + 1);
            break;
          case 3:
            file.insert(file.begin() + static_cast<int64_t>(place), static_cast<size_t>(random.integer(1, 20)), file[place]);
            break;
          default:
            file[place] = random.chance(0.5) ? 0xff : 0;
        }
      }
      if (random.chance(0.8) && file[0] == 0x89) renew_checksums(file);
      const auto error = result_of(file, limits, random.chance(0.2));
      if (!error) ++decoded;
      if (error) {
        ++refused;
        const Reason reason = error->reason();
        REQUIRE((reason == Reason::kImageUndecodable || reason == Reason::kWrongImageWidth ||
                 reason == Reason::kWrongImageHeight || reason == Reason::kWrongImageChannels));
      }
    }
  }
  // Both happen, or the damage is of the wrong size.
  CHECK(refused > 500);
  CHECK(decoded > 100);
}

}  // namespace
}  // namespace dl::test
