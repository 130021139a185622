#include "images/reader.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <string>

#include "images/error.h"

namespace dl::images {
namespace {

constexpr std::array<unsigned char, 3> kJpegStart{0xff, 0xd8, 0xff};
constexpr std::array<unsigned char, 8> kPngStart{0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};

template <size_t n>
bool begins_with(std::span<const std::byte> file, const std::array<unsigned char, n>& start) {
  return file.size() >= n && std::memcmp(file.data(), start.data(), n) == 0;
}

class PixelReader final : public Reader {
 public:
  PixelReader(std::span<const std::byte> pixels, const Header& header) : next_(pixels.data()), header_(header) {}

  Header header() const override { return header_; }
  Header begin(const DecodeRequest&) override { return header_; }
  void read(uint8_t* row) override {
    const auto bytes = static_cast<size_t>(header_.width * channels(header_.colour));
    std::memcpy(row, next_, bytes);
    next_ += bytes;
  }

 private:
  const std::byte* next_;
  const Header header_;
};

}  // namespace

std::unique_ptr<Reader> open_file(std::span<const std::byte> file, const Limits& limits) {
  if (static_cast<int64_t>(file.size()) > limits.file_bytes) {
    throw undecodable("it has " + std::to_string(file.size()) + " bytes, the limit is " + std::to_string(limits.file_bytes));
  }
  if (begins_with(file, kJpegStart)) return open_jpeg(file, limits);
  if (begins_with(file, kPngStart)) return open_png(file, limits);
  throw undecodable("it begins like no image file");
}

std::unique_ptr<Reader> open_pixels(std::span<const std::byte> pixels, const Header& header) {
  const int64_t bytes = header.width * header.height * channels(header.colour);
  if (bytes <= 0 || bytes != static_cast<int64_t>(pixels.size())) {
    throw Error(Reason::kInvalidArgument,
                "pixels: " + std::to_string(pixels.size()) + " bytes, " + std::to_string(bytes) + " wanted",
                {{"argument", "pixels"}});
  }
  return std::make_unique<PixelReader>(pixels, header);
}

void check_size(int64_t width, int64_t height, const Limits& limits) {
  const auto refuse = [&](const char* what, int64_t limit) {
    return undecodable(std::to_string(width) + " x " + std::to_string(height) + " pixels exceed the " + what + " limit of " +
                       std::to_string(limit));
  };
  if (width < 1 || height < 1) throw undecodable("it has no pixels");
  // Together before alone: it is the memory and the time that matter.
  if (width * height > limits.pixels) throw refuse("pixel", limits.pixels);
  if (std::max(width, height) > limits.extent) throw refuse("side", limits.extent);
}

}  // namespace dl::images
