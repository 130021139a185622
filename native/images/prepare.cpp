#include "images/prepare.h"

#include <algorithm>
#include <string>
#include <vector>

#include "images/channels.h"
#include "images/contrast.h"
#include "images/error.h"
#include "images/resize.h"

namespace dl::images {
namespace {

void check_exact(const Header& header, ImageShape shape) {
  if (header.width != shape.width) throw mismatch(Reason::kWrongImageWidth, "width", header.width, shape.width);
  if (header.height != shape.height) throw mismatch(Reason::kWrongImageHeight, "height", header.height, shape.height);
}

void check_resized(const Header& header, const Limits& limits) {
  Limits resized = limits;
  resized.pixels = std::min(limits.pixels, limits.resized_pixels);
  check_size(header.width, header.height, resized);
}

void check_domain(const Window& domain, const Header& header) {
  if (domain.row >= 0 && domain.column >= 0 && domain.height > 0 && domain.width > 0 &&
      domain.row + domain.height <= header.height && domain.column + domain.width <= header.width) {
    return;
  }
  const std::string problem = "rows " + std::to_string(domain.row) + ".." + std::to_string(domain.row + domain.height - 1) +
                              " and columns " + std::to_string(domain.column) + ".." +
                              std::to_string(domain.column + domain.width - 1) + " are not within an image of " +
                              std::to_string(header.width) + " x " + std::to_string(header.height) + " pixels";
  throw Error(Reason::kInvalidArgument, "domain: " + problem, {{"argument", "domain"}, {"problem", problem}});
}

void expect_wanted(const std::atomic<bool>& cancelled) {
  if (cancelled.load(std::memory_order_relaxed)) throw Error(Reason::kCancelled, "the image is no longer wanted");
}

/// The image in the shape that is wanted, before anything changes its values on purpose.
void decode(const ImageTask& task, const Limits& limits, const std::atomic<bool>& cancelled, uint8_t* result) {
  const auto& [exact, domain, normalize] = task.preprocessing;
  const ImageShape& shape = task.shape;
  const std::unique_ptr<Reader> reader = task.pixels ? open_pixels(task.source, *task.pixels) : open_file(task.source, limits);
  if (exact) check_exact(reader->header(), shape);
  if (!exact && !task.pixels) check_resized(reader->header(), limits);
  if (domain) check_domain(*domain, reader->header());
  DecodeRequest request{.cancelled = &cancelled};
  // A part of an image is measured in the pixels of the whole.
  if (!exact && !domain) request.least_width = shape.width, request.least_height = shape.height;
  request.grey = !exact && shape.channels == 1;
  // Refuses by the header what must not be converted, before a pixel is decoded.
  static_cast<void>(ChannelConverter(reader->header().colour, shape.channels, exact));
  const Header rows = reader->begin(request);
  const Window window = domain.value_or(Window{0, 0, rows.height, rows.width});
  const ChannelConverter converter(rows.colour, shape.channels, exact);
  Resizer resizer(window.width, window.height, shape.width, shape.height, shape.channels, result);
  std::vector<uint8_t> row(static_cast<size_t>(rows.width * channels(rows.colour)));
  std::vector<uint8_t> converted(converter.identity() ? 0 : static_cast<size_t>(window.width * shape.channels));
  for (int64_t y = 0; y < window.row + window.height; ++y) {
    expect_wanted(cancelled);
    reader->read(row.data());
    if (y < window.row) continue;
    const uint8_t* part = row.data() + window.column * channels(rows.colour);
    if (!converter.identity()) converter.convert(part, window.width, converted.data());
    resizer.push(converter.identity() ? part : converted.data());
  }
}

}  // namespace

void prepare(const ImageTask& task, const Limits& limits, const std::atomic<bool>& cancelled, std::span<uint8_t> result) {
  if (static_cast<int64_t>(result.size()) != task.shape.size()) {
    throw Error(Reason::kInvalidArgument, "result: is not of the image's size", {{"argument", "result"}});
  }
  expect_wanted(cancelled);
  try {
    decode(task, limits, cancelled, result.data());
  } catch (const Error& error) {
    // A reader that was stopped tells of an image that it could not decode.
    if (error.reason() == Reason::kImageUndecodable) expect_wanted(cancelled);
    throw;
  }
  if (task.preprocessing.normalize_contrast) normalize_contrast(result);
  if (task.augmentation) vary(draw(*task.augmentation, task.index, task.shape), task.shape, result);
}

}  // namespace dl::images
