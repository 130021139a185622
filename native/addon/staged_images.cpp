#include "addon/staged_images.h"

#include <string>

#include "addon/error.h"
#include "addon/fields.h"

namespace dl::addon {
namespace {

StagedImages to_images(Napi::Env env, const Napi::Value& batch, bool announced) {
  const Fields fields = option_fields(batch, "batch");
  const std::string format = fields.string("format");
  if (format != "uint8" && format != "float32") fields.refuse("format", "'" + format + "' is none of uint8, float32");
  StagedImages images;
  images.format = format == "uint8" ? PixelFormat::kUint8 : PixelFormat::kFloat32;
  images.count = fields.integer("count", 1, kMaxExtent);
  const Napi::Value pixels = fields.value("buffer");
  if (const ImageTable* table = Wrapped<ImageTable>::unwrap(env, pixels)) {
    images.table = table->places();
    if (static_cast<int64_t>(images.table->images.size()) != images.count)
      fields.refuse("count", "the table has " + std::to_string(images.table->images.size()) + " images");
    images.id = images.table->id;
    return images;
  }
  StagingBuffer* buffer = Wrapped<StagingBuffer>::unwrap(env, pixels);
  if (buffer == nullptr) fields.refuse("buffer", "is neither a StagingBuffer nor an ImageTable");
  images.buffer = buffer->memory();
  images.write_lock = buffer->write_lock();
  if (announced) buffer->settle();
  if (buffer->settled()) images.id = images.buffer->id();
  return images;
}

}  // namespace

ImageBatch StagedImages::view(ImageShape shape) const {
  ImageBatch batch = whole();
  if (table != nullptr) return batch;
  const int64_t image_bytes = batch.image_bytes(shape);
  if (!batch.hold(count, shape)) {
    throw invalid_argument("buffer", std::to_string(batch.pixels.size()) + " bytes do not hold " + std::to_string(count) +
                                         " images of " + std::to_string(image_bytes) + " bytes");
  }
  batch.pixels = batch.pixels.first(static_cast<size_t>(count * image_bytes));
  return batch;
}

ImageBatch StagedImages::whole() const {
  if (table != nullptr) return {format, count, {}, id, table->images};
  return {format, count, buffer->bytes(), id, {}};
}

std::shared_ptr<const void> StagedImages::memory() const {
  if (table != nullptr) return table;
  return buffer;
}

StagedImages to_images(Napi::Env env, const Napi::Value& batch) { return to_images(env, batch, false); }

StagedImages to_announced(Napi::Env env, const Napi::Value& batch) { return to_images(env, batch, true); }

}  // namespace dl::addon
