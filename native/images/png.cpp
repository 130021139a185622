// PNG by libpng. The chunks' checksums are verified here first: libpng would not look at what follows the last row without
// unpacking it.
#include <png.h>
#include <zlib.h>

#include <csetjmp>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "images/error.h"
#include "images/reader.h"

namespace dl::images {
namespace {

constexpr size_t kSignatureBytes = 8;
/// Length, type and checksum of a chunk.
constexpr size_t kChunkOverhead = 12;

uint32_t big_endian(const std::byte* bytes) {
  uint32_t value = 0;
  for (int i = 0; i < 4; ++i) value = value << 8 | std::to_integer<uint32_t>(bytes[i]);
  return value;
}

/// Throws kImageUndecodable unless the file is whole chunks with valid checksums up to IEND; what follows that is nobody's.
void check_chunks(std::span<const std::byte> file) {
  size_t place = kSignatureBytes;
  for (;;) {
    if (file.size() - place < kChunkOverhead) throw undecodable("the file is truncated");
    const std::byte* chunk = file.data() + place;
    const size_t length = big_endian(chunk);
    if (file.size() - place - kChunkOverhead < length) throw undecodable("the file is truncated");
    const auto* checked = reinterpret_cast<const Bytef*>(chunk + 4);
    const std::string_view type(reinterpret_cast<const char*>(chunk + 4), 4);
    if (crc32_z(0, checked, length + 4) != big_endian(chunk + 8 + length)) throw undecodable("a chunk's checksum is wrong");
    if (type == "IEND") return;
    place += kChunkOverhead + length;
  }
}

/// libpng in C: as in jpeg.cpp, its errors leave by longjmp, and nothing that has a destructor lives between setjmp and the
/// library.
struct Session {
  png_structp png = nullptr;
  png_infop info = nullptr;
  const std::byte* next = nullptr;
  size_t left = 0;
  char message[128] = "";
};

[[noreturn]] void on_error(png_structp png, png_const_charp message) {
  auto* self = static_cast<Session*>(png_get_error_ptr(png));
  std::strncpy(self->message, message, sizeof self->message - 1);
  png_longjmp(png, 1);
}

void on_warning(png_structp, png_const_charp) {}

void on_read(png_structp png, png_bytep target, size_t bytes) {
  auto* self = static_cast<Session*>(png_get_io_ptr(png));
  if (bytes > self->left) png_error(png, "the file is truncated");
  std::memcpy(target, self->next, bytes);
  self->next += bytes;
  self->left -= bytes;
}

/// Chunks that say nothing of pixels: not even unpacked.
constexpr png_byte kIgnored[] =
    "iCCP\0"
    "iTXt\0"
    "tEXt\0"
    "zTXt\0"
    "eXIf\0"
    "sPLT\0"
    "hIST";
constexpr int kIgnoredCount = sizeof kIgnored / 5;

bool open(Session& self, const Limits& limits) {
  self.png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &self, on_error, on_warning);
  if (self.png != nullptr) self.info = png_create_info_struct(self.png);
  if (self.info == nullptr) {
    std::strcpy(self.message, "memory is exhausted");
    return false;
  }
  if (setjmp(png_jmpbuf(self.png))) return false;
  png_set_read_fn(self.png, &self, on_read);
  png_set_crc_action(self.png, PNG_CRC_QUIET_USE, PNG_CRC_QUIET_USE);
  png_set_keep_unknown_chunks(self.png, PNG_HANDLE_CHUNK_NEVER, kIgnored, kIgnoredCount);
  // The own limits come right after; libpng's would only say it in other words.
  png_set_user_limits(self.png, PNG_UINT_31_MAX, PNG_UINT_31_MAX);
  png_set_chunk_malloc_max(self.png, static_cast<png_alloc_size_t>(limits.working_bytes));
  png_read_info(self.png, self.info);
  return true;
}

bool start(Session& self) {
  if (setjmp(png_jmpbuf(self.png))) return false;
  const png_byte type = png_get_color_type(self.png, self.info);
  if (type == PNG_COLOR_TYPE_PALETTE) png_set_palette_to_rgb(self.png);
  if (type == PNG_COLOR_TYPE_GRAY) png_set_expand_gray_1_2_4_to_8(self.png);
  if (png_get_valid(self.png, self.info, PNG_INFO_tRNS)) png_set_tRNS_to_alpha(self.png);
  png_set_strip_16(self.png);
  png_set_interlace_handling(self.png);
  png_start_read_image(self.png);
  return true;
}

bool read_row(Session& self, uint8_t* row) {
  if (setjmp(png_jmpbuf(self.png))) return false;
  png_read_row(self.png, row, nullptr);
  return true;
}

bool read_image(Session& self, uint8_t* image, size_t row_bytes, int64_t height) {
  constexpr int kPasses = 7;
  if (setjmp(png_jmpbuf(self.png))) return false;
  for (int pass = 0; pass < kPasses; ++pass) {
    for (int64_t y = 0; y < height; ++y) png_read_row(self.png, image + static_cast<size_t>(y) * row_bytes, nullptr);
  }
  return true;
}

class PngReader final : public Reader {
 public:
  PngReader(std::span<const std::byte> file, const Limits& limits) : limits_(limits) {
    // Before the checksums of a large file that is refused in any case.
    constexpr size_t kHeaderBytes = kSignatureBytes + kChunkOverhead + 13;
    if (file.size() < kHeaderBytes) throw undecodable("the file is truncated");
    check_size(big_endian(file.data() + 16), big_endian(file.data() + 20), limits);
    check_chunks(file);
    self_.next = file.data();
    self_.left = file.size();
    if (!open(self_, limits)) fail();
    header_ = {png_get_image_width(self_.png, self_.info), png_get_image_height(self_.png, self_.info), colour()};
    try {
      check_size(header_.width, header_.height, limits);
    } catch (...) {
      png_destroy_read_struct(&self_.png, &self_.info, nullptr);
      throw;
    }
  }
  ~PngReader() override { png_destroy_read_struct(&self_.png, &self_.info, nullptr); }
  PngReader(const PngReader&) = delete;
  PngReader& operator=(const PngReader&) = delete;

  Header header() const override { return header_; }

  Header begin(const DecodeRequest&) override {
    if (!start(self_)) throw undecodable(self_.message);
    if (png_get_interlace_type(self_.png, self_.info) == PNG_INTERLACE_NONE) return header_;
    // The first pass has pixels of all rows.
    const int64_t bytes = header_.width * header_.height * channels(header_.colour);
    if (bytes > limits_.working_bytes) {
      throw undecodable("it is interlaced and needs " + std::to_string(bytes) + " bytes, the limit is " +
                        std::to_string(limits_.working_bytes));
    }
    image_.resize(static_cast<size_t>(bytes));
    if (!read_image(self_, image_.data(), row_bytes(), header_.height)) throw undecodable(self_.message);
    return header_;
  }

  void read(uint8_t* row) override {
    if (image_.empty()) {
      if (!read_row(self_, row)) throw undecodable(self_.message);
      return;
    }
    std::memcpy(row, image_.data() + next_row_++ * row_bytes(), row_bytes());
  }

 private:
  [[noreturn]] void fail() {
    png_destroy_read_struct(&self_.png, &self_.info, nullptr);
    throw undecodable(self_.message);
  }

  size_t row_bytes() const { return static_cast<size_t>(header_.width * channels(header_.colour)); }

  Colour colour() const {
    const png_byte type = png_get_color_type(self_.png, self_.info);
    const bool alpha = (type & PNG_COLOR_MASK_ALPHA) != 0 || png_get_valid(self_.png, self_.info, PNG_INFO_tRNS) != 0;
    const bool colours = (type & PNG_COLOR_MASK_COLOR) != 0;
    if (colours) return alpha ? Colour::kRgbAlpha : Colour::kRgb;
    return alpha ? Colour::kGreyAlpha : Colour::kGrey;
  }

  Session self_;
  Header header_;
  const Limits limits_;
  std::vector<uint8_t> image_;
  size_t next_row_ = 0;
};

}  // namespace

std::unique_ptr<Reader> open_png(std::span<const std::byte> file, const Limits& limits) {
  return std::make_unique<PngReader>(file, limits);
}

}  // namespace dl::images
