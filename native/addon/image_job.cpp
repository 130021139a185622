#include "addon/image_job.h"

#include <limits>
#include <string>

#include "addon/fields.h"
#include "addon/options.h"

namespace dl::addon {
namespace {

using images::Augmentation;

/// Beyond it no image and no upload reaches.
constexpr int64_t kMaxBytes = int64_t{1} << 36;
constexpr int64_t kMaxSafeInteger = (int64_t{1} << 53) - 1;
/// Sides of a prepared image.
constexpr int64_t kMaxSide = 32768;

std::optional<Fields> object_or_null(const Fields& fields, const char* name) {
  const Napi::Value value = fields.value(name);
  if (value.IsNull()) return std::nullopt;
  return option_fields(value, name);
}

/// A number in (least, largest], or nothing for null.
std::optional<double> amount(const Fields& fields, const char* name, double largest) {
  const std::optional<double> value = fields.number_or_null(name);
  if (value && !(*value > 0 && *value <= largest)) fields.refuse(name, "must be above 0 and at most " + std::to_string(largest));
  return value;
}

std::optional<images::Header> to_header(const std::optional<Fields>& fields) {
  if (!fields) return std::nullopt;
  using images::Colour;
  constexpr Colour kColours[] = {Colour::kGrey, Colour::kGreyAlpha, Colour::kRgb, Colour::kRgbAlpha};
  return images::Header{fields->integer("width", 1, kMaxExtent), fields->integer("height", 1, kMaxExtent),
                        kColours[fields->integer("channels", 1, 4) - 1]};
}

std::optional<images::Window> to_window(const std::optional<Fields>& fields) {
  if (!fields) return std::nullopt;
  return images::Window{fields->integer("row", 0, kMaxExtent), fields->integer("column", 0, kMaxExtent),
                        fields->integer("height", 1, kMaxExtent), fields->integer("width", 1, kMaxExtent)};
}

std::optional<Augmentation::Mirror> to_mirror(const Fields& fields) {
  if (fields.value("mirror").IsNull()) return std::nullopt;
  const std::string axes = fields.string("mirror");
  if (axes == "r") return Augmentation::Mirror::kRows;
  if (axes == "c") return Augmentation::Mirror::kColumns;
  if (axes == "rc") return Augmentation::Mirror::kEither;
  fields.refuse("mirror", "'" + axes + "' is none of r, c, rc");
}

std::optional<Augmentation> to_augmentation(const std::optional<Fields>& fields) {
  if (!fields) return std::nullopt;
  Augmentation augmentation;
  augmentation.seed = to_seed(fields->value("seed"));
  augmentation.counter = to_seed(fields->value("counter"));
  augmentation.percentage = fields->number("percentage");
  if (!(augmentation.percentage >= 0 && augmentation.percentage <= 100)) fields->refuse("percentage", "must lie in 0..100");
  augmentation.choice = fields->boolean("all") ? Augmentation::Choice::kAll : Augmentation::Choice::kOne;
  augmentation.mirror = to_mirror(*fields);
  if (const auto step = amount(*fields, "rotateStep", 180)) {
    if (*step < Augmentation::RotationStep::kLeast) fields->refuse("rotateStep", "must be at least 0.001");
    augmentation.rotation = Augmentation::RotationStep{*step};
  }
  if (const auto range = amount(*fields, "rotateRange", 180)) augmentation.rotation = Augmentation::RotationRange{*range};
  if (const auto percent = amount(*fields, "cropPercentage", 100)) augmentation.crop = Augmentation::CropPercentage{*percent};
  if (!fields->value("cropPixels").IsNull()) {
    augmentation.crop = Augmentation::CropPixels{fields->integer("cropPixels", 1, kMaxSide)};
  }
  augmentation.brightness_variation = amount(*fields, "brightnessVariation", 255).value_or(0);
  augmentation.brightness_variation_spot = amount(*fields, "brightnessVariationSpot", 255).value_or(0);
  return augmentation;
}

}  // namespace

ImageJob::ImageJob(Napi::Env env, const Napi::Value& request, Napi::Promise::Deferred deferred) : deferred_(deferred) {
  const Fields fields = option_fields(request, "image");
  group_ = fields.integer("group", 0, kMaxSafeInteger);
  task_.index = static_cast<uint32_t>(fields.integer("index", 0, std::numeric_limits<uint32_t>::max()));
  task_.shape = {fields.integer("channels", 1, 3), fields.integer("height", 1, kMaxSide), fields.integer("width", 1, kMaxSide)};
  if (task_.shape.channels == 2) fields.refuse("channels", "must be 1 or 3");
  task_.pixels = to_header(object_or_null(fields, "pixels"));
  task_.preprocessing = {fields.boolean("exact"), to_window(object_or_null(fields, "domain")),
                         fields.boolean("normalizeContrast")};
  task_.augmentation = to_augmentation(object_or_null(fields, "augmentation"));
  const int64_t source_offset = fields.integer("sourceOffset", 0, kMaxBytes);
  const int64_t source_bytes = fields.integer("sourceBytes", 0, kMaxBytes);
  const int64_t target_offset = fields.integer("targetOffset", 0, kMaxBytes);
  const Napi::Value source = fields.value("source"), target = fields.value("target");
  // From here on nothing runs JavaScript: a getter that closes a buffer has done so by now.
  source_ = StagingBuffer::to_bytes(env, source, "source", source_offset, source_bytes, StagingBuffer::Use::kRead);
  target_ = StagingBuffer::to_bytes(env, target, "target", target_offset, task_.shape.size(), StagingBuffer::Use::kWritten);
  if (source_.memory == target_.memory) fields.refuse("target", "is the source");
  task_.source = source_.bytes;
  result_ = {reinterpret_cast<uint8_t*>(target_.bytes.data()), target_.bytes.size()};
}

}  // namespace dl::addon
