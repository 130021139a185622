#include "test/pictures.h"

#include <png.h>

#include <algorithm>
#include <cmath>
#include <csetjmp>
#include <cstdio>
#include <cstdlib>
#include <stdexcept>

// jpeglib.h wants FILE and size_t to be known.
#include <jpeglib.h>

namespace dl::test {

Bytes noise(Random& random, int64_t count, int64_t lowest, int64_t highest) {
  Bytes values(static_cast<size_t>(count));
  for (uint8_t& value : values) value = static_cast<uint8_t>(random.integer(lowest, highest));
  return values;
}

Bytes soft_noise(Random& random, ImageShape shape) {
  const ImageShape coarse{shape.channels, shape.height / 8 + 2, shape.width / 8 + 2};
  const reference::Picture picture = to_picture(noise(random, coarse.size()), coarse);
  const reference::Picture soft = reference::resize(picture, shape.height, shape.width);
  Bytes pixels;
  for (const double value : soft.values) pixels.push_back(static_cast<uint8_t>(std::lround(value)));
  return pixels;
}

reference::Picture to_picture(const Bytes& pixels, ImageShape shape) {
  return {shape.height, shape.width, shape.channels, {pixels.begin(), pixels.end()}};
}

double rounding_excess(const Bytes& pixels, const reference::Picture& picture) {
  if (pixels.size() != picture.values.size()) throw std::logic_error("pixels and picture are not of one size");
  double excess = 0;
  for (size_t i = 0; i < pixels.size(); ++i) excess = std::max(excess, std::abs(pixels[i] - picture.values[i]) - 0.5);
  return std::max(0.0, excess);
}

namespace {

[[noreturn]] void fail_jpeg(j_common_ptr jpeg) {
  char message[JMSG_LENGTH_MAX];
  jpeg->err->format_message(jpeg, message);
  throw std::runtime_error(message);
}

[[noreturn]] void fail_png(png_structp, png_const_charp message) { throw std::runtime_error(message); }

}  // namespace

Bytes encode_jpeg(const Bytes& pixels, ImageShape shape, const JpegOptions& options) {
  jpeg_compress_struct jpeg{};
  jpeg_error_mgr errors;
  jpeg.err = jpeg_std_error(&errors);
  errors.error_exit = fail_jpeg;
  jpeg_create_compress(&jpeg);
  unsigned char* bytes = nullptr;
  unsigned long count = 0;
  jpeg_mem_dest(&jpeg, &bytes, &count);
  jpeg.image_width = static_cast<JDIMENSION>(shape.width);
  jpeg.image_height = static_cast<JDIMENSION>(shape.height);
  jpeg.input_components = static_cast<int>(shape.channels);
  jpeg.in_color_space = options.cmyk ? JCS_CMYK : shape.channels == 1 ? JCS_GRAYSCALE : JCS_RGB;
  jpeg_set_defaults(&jpeg);
  jpeg_set_quality(&jpeg, options.quality, TRUE);
  if (options.cmyk) jpeg.write_Adobe_marker = options.adobe_marker ? TRUE : FALSE;
  if (!options.chroma_subsampled) jpeg.comp_info[0].h_samp_factor = jpeg.comp_info[0].v_samp_factor = 1;
  if (options.progressive) jpeg_simple_progression(&jpeg);
  jpeg_start_compress(&jpeg, TRUE);
  Bytes row(static_cast<size_t>(shape.width * shape.channels));
  for (int64_t y = 0; y < shape.height; ++y) {
    std::copy_n(pixels.begin() + y * static_cast<int64_t>(row.size()), row.size(), row.begin());
    JSAMPROW rows[] = {row.data()};
    jpeg_write_scanlines(&jpeg, rows, 1);
  }
  jpeg_finish_compress(&jpeg);
  Bytes file(bytes, bytes + count);
  jpeg_destroy_compress(&jpeg);
  std::free(bytes);
  return file;
}

Bytes decode_jpeg(const Bytes& file, int scale, bool grey, ImageShape& shape) {
  jpeg_decompress_struct jpeg{};
  jpeg_error_mgr errors;
  jpeg.err = jpeg_std_error(&errors);
  errors.error_exit = fail_jpeg;
  jpeg_create_decompress(&jpeg);
  jpeg_mem_src(&jpeg, file.data(), file.size());
  jpeg_read_header(&jpeg, TRUE);
  jpeg.scale_num = static_cast<unsigned>(scale);
  jpeg.scale_denom = 8;
  if (grey) jpeg.out_color_space = JCS_GRAYSCALE;
  jpeg_start_decompress(&jpeg);
  shape = {jpeg.output_components, jpeg.output_height, jpeg.output_width};
  Bytes pixels(static_cast<size_t>(shape.size()));
  while (jpeg.output_scanline < jpeg.output_height) {
    JSAMPROW rows[] = {&pixels[static_cast<size_t>(jpeg.output_scanline * shape.width * shape.channels)]};
    jpeg_read_scanlines(&jpeg, rows, 1);
  }
  jpeg_finish_decompress(&jpeg);
  jpeg_destroy_decompress(&jpeg);
  return pixels;
}

Bytes encode_png(const Bytes& pixels, ImageShape shape, const PngOptions& options) {
  png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, nullptr, fail_png, nullptr);
  png_infop info = png_create_info_struct(png);
  Bytes file;
  const auto write = [](png_structp self, png_bytep bytes, size_t count) {
    auto* target = static_cast<Bytes*>(png_get_io_ptr(self));
    target->insert(target->end(), bytes, bytes + count);
  };
  png_set_write_fn(png, &file, write, nullptr);
  constexpr int kTypes[] = {PNG_COLOR_TYPE_GRAY, PNG_COLOR_TYPE_GRAY_ALPHA, PNG_COLOR_TYPE_RGB, PNG_COLOR_TYPE_RGB_ALPHA};
  png_set_IHDR(png, info, static_cast<png_uint_32>(shape.width), static_cast<png_uint_32>(shape.height), options.bits,
               options.palette ? PNG_COLOR_TYPE_PALETTE : kTypes[shape.channels - 1],
               options.interlaced ? PNG_INTERLACE_ADAM7 : PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT,
               PNG_FILTER_TYPE_DEFAULT);
  if (options.palette) {
    std::vector<png_color> colours;
    for (size_t i = 0; i < options.colours.size(); i += 3) {
      colours.push_back({options.colours[i], options.colours[i + 1], options.colours[i + 2]});
    }
    png_set_PLTE(png, info, colours.data(), static_cast<int>(colours.size()));
    if (!options.alphas.empty()) png_set_tRNS(png, info, options.alphas.data(), static_cast<int>(options.alphas.size()), nullptr);
  }
  png_write_info(png, info);
  // One value a byte comes in, however many of them a byte of the file holds.
  if (options.bits < 8) png_set_packing(png);
  Bytes image = pixels;
  const size_t row_bytes = image.size() / static_cast<size_t>(shape.height);
  std::vector<png_bytep> rows;
  for (int64_t y = 0; y < shape.height; ++y) rows.push_back(&image[static_cast<size_t>(y) * row_bytes]);
  png_write_image(png, rows.data());
  png_write_end(png, info);
  png_destroy_write_struct(&png, &info);
  return file;
}

}  // namespace dl::test
