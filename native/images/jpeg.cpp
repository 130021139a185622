// JPEG by libjpeg-turbo's classic interface, which reads row by row, counts scans and bounds its memory.
#include <csetjmp>
#include <cstdio>
#include <string>

// jpeglib.h wants FILE and size_t to be known.
#include <jerror.h>
#include <jpeglib.h>

#include "images/error.h"
#include "images/reader.h"

namespace dl::images {
namespace {

/// libjpeg counts its scaled sizes in eighths.
constexpr int kEighths = 8;

/// Warnings after which the pixels are still those that were encoded. All others say that image data is damaged or missing.
bool is_harmless(int warning) {
  return warning == JWRN_EXTRANEOUS_DATA || warning == JWRN_JFIF_MAJOR || warning == JWRN_ADOBE_XFORM ||
         warning == JWRN_BOGUS_ICC || warning == JWRN_TOO_MUCH_DATA;
}

/// libjpeg in C: no C++ exception may pass through its frames, so that its errors leave by longjmp. Nothing that has a destructor
/// lives between setjmp and the library.
struct Session {
  jpeg_decompress_struct jpeg;
  jpeg_error_mgr errors;
  jpeg_progress_mgr progress;
  std::jmp_buf leave;
  char message[JMSG_LENGTH_MAX];
  int scan_limit;
  const std::atomic<bool>* cancelled;
};

Session& session(j_common_ptr jpeg) { return *static_cast<Session*>(jpeg->client_data); }

[[noreturn]] void on_error(j_common_ptr jpeg) {
  Session& self = session(jpeg);
  jpeg->err->format_message(jpeg, self.message);
  std::longjmp(self.leave, 1);
}

void on_message(j_common_ptr jpeg, int level) {
  if (level < 0 && !is_harmless(jpeg->err->msg_code)) on_error(jpeg);
}

void on_progress(j_common_ptr jpeg) {
  Session& self = session(jpeg);
  const bool cancelled = self.cancelled != nullptr && self.cancelled->load(std::memory_order_relaxed);
  if (self.jpeg.input_scan_number <= self.scan_limit && !cancelled) return;
  std::snprintf(self.message, sizeof self.message, "it has more than %d scans", self.scan_limit);
  std::longjmp(self.leave, 1);
}

bool open(Session& self, const unsigned char* bytes, unsigned long count, const Limits& limits) {
  if (setjmp(self.leave)) return false;
  jpeg_create_decompress(&self.jpeg);
  self.jpeg.progress = &self.progress;
  self.jpeg.mem->max_memory_to_use = static_cast<long>(limits.working_bytes);
  jpeg_mem_src(&self.jpeg, bytes, count);
  jpeg_read_header(&self.jpeg, TRUE);
  return true;
}

bool start(Session& self) {
  if (setjmp(self.leave)) return false;
  jpeg_start_decompress(&self.jpeg);
  return true;
}

bool read_row(Session& self, uint8_t* row) {
  if (setjmp(self.leave)) return false;
  jpeg_read_scanlines(&self.jpeg, &row, 1);
  return true;
}

class JpegReader final : public Reader {
 public:
  JpegReader(std::span<const std::byte> file, const Limits& limits) {
    self_.jpeg.err = jpeg_std_error(&self_.errors);
    self_.jpeg.client_data = &self_;
    self_.errors.error_exit = on_error;
    self_.errors.emit_message = on_message;
    self_.progress.progress_monitor = on_progress;
    self_.scan_limit = limits.scans;
    if (!open(self_, reinterpret_cast<const unsigned char*>(file.data()), file.size(), limits)) fail();
    try {
      header_ = {self_.jpeg.image_width, self_.jpeg.image_height, colour()};
      check_size(header_.width, header_.height, limits);
    } catch (...) {
      jpeg_destroy_decompress(&self_.jpeg);
      throw;
    }
  }
  ~JpegReader() override { jpeg_destroy_decompress(&self_.jpeg); }
  JpegReader(const JpegReader&) = delete;
  JpegReader& operator=(const JpegReader&) = delete;

  Header header() const override { return header_; }

  Header begin(const DecodeRequest& request) override {
    jpeg_decompress_struct& jpeg = self_.jpeg;
    self_.cancelled = request.cancelled;
    jpeg.scale_num = static_cast<unsigned>(eighths(request));
    jpeg.scale_denom = kEighths;
    jpeg.dct_method = JDCT_ISLOW;
    Colour colour = header_.colour;
    if (colour == Colour::kGrey) jpeg.out_color_space = JCS_GRAYSCALE;
    if (colour == Colour::kRgb) jpeg.out_color_space = JCS_RGB;
    if (channels(colour) == 4) jpeg.out_color_space = JCS_CMYK;
    if (request.grey && jpeg.jpeg_color_space == JCS_YCbCr) {
      // Y is the grey value; the chroma need not be decoded.
      jpeg.out_color_space = JCS_GRAYSCALE;
      colour = Colour::kGrey;
    }
    if (!start(self_)) throw undecodable(self_.message);
    return {jpeg.output_width, jpeg.output_height, colour};
  }

  void read(uint8_t* row) override {
    if (!read_row(self_, row)) throw undecodable(self_.message);
  }

 private:
  [[noreturn]] void fail() {
    jpeg_destroy_decompress(&self_.jpeg);
    throw undecodable(self_.message);
  }

  Colour colour() const {
    switch (self_.jpeg.jpeg_color_space) {
      case JCS_GRAYSCALE:
        return Colour::kGrey;
      case JCS_YCbCr:
      case JCS_RGB:
        return Colour::kRgb;
      case JCS_CMYK:
      case JCS_YCCK:
        return self_.jpeg.saw_Adobe_marker ? Colour::kInvertedCmyk : Colour::kCmyk;
      default:
        throw undecodable("it has " + std::to_string(self_.jpeg.num_components) + " components of an unknown colour space");
    }
  }

  /// The smallest scale at which neither side falls below what is wanted; libjpeg rounds scaled sizes up.
  int eighths(const DecodeRequest& request) const {
    if (request.least_width < 1 || request.least_height < 1) return kEighths;
    const auto scaled = [](int64_t extent, int scale) { return (extent * scale + kEighths - 1) / kEighths; };
    int scale = 1;
    while (scale < kEighths &&
           (scaled(header_.width, scale) < request.least_width || scaled(header_.height, scale) < request.least_height)) {
      ++scale;
    }
    return scale;
  }

  Session self_{};
  Header header_;
};

}  // namespace

std::unique_ptr<Reader> open_jpeg(std::span<const std::byte> file, const Limits& limits) {
  return std::make_unique<JpegReader>(file, limits);
}

}  // namespace dl::images
