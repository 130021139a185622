#include "addon/image_table.h"

#include "addon/error.h"
#include "addon/fields.h"

namespace dl::addon {

void ImageTable::define(Napi::Env env, Napi::Object exports) {
  using Self = Wrapped<ImageTable>;
  Self::define(env, exports, {Self::method<&ImageTable::set>("set"), Self::method<&ImageTable::close>("close")});
}

ImageTable::ImageTable(const Napi::CallbackInfo& info) {
  const Fields options = option_fields(info[0], "options");
  missing_ = static_cast<size_t>(options.integer("count", 1, kMaxExtent));
  image_bytes_ = static_cast<size_t>(options.integer("imageBytes", 1, kMaxStagingBytes));
  places_ = std::make_shared<ImagePlaces>();
  places_->memory.resize(missing_);
  places_->images.resize(missing_);
  places_->id = new_pixels_id();
}

Napi::Value ImageTable::set(const Napi::CallbackInfo& info) {
  if (places_ == nullptr) throw closed("image table");
  if (sealed_) throw invalid_argument("table", "it has been read, and stays as it is");
  const int64_t position = to_integer(info[0], "position", 0, static_cast<int64_t>(places_->images.size()) - 1);
  const int64_t offset = to_integer(info[2], "offset", 0, kMaxStagingBytes);
  StagingBuffer* buffer = Wrapped<StagingBuffer>::unwrap(info.Env(), info[1]);
  if (buffer == nullptr) throw invalid_argument("buffer", "is no StagingBuffer");
  const std::span<const std::byte> bytes = buffer->memory()->bytes();
  if (static_cast<size_t>(offset) + image_bytes_ > bytes.size()) {
    throw invalid_argument("offset", "an image of " + std::to_string(image_bytes_) + " bytes at the offset " +
                                         std::to_string(offset) + " reaches beyond a buffer of " + std::to_string(bytes.size()) +
                                         " bytes");
  }
  buffer->settle();
  const auto index = static_cast<size_t>(position);
  if (places_->memory[index] == nullptr) --missing_;
  places_->memory[index] = buffer->memory();
  places_->images[index] = bytes.subspan(static_cast<size_t>(offset), image_bytes_);
  return info.Env().Undefined();
}

Napi::Value ImageTable::close(const Napi::CallbackInfo& info) {
  places_.reset();
  return info.Env().Undefined();
}

std::shared_ptr<const ImagePlaces> ImageTable::places() const {
  if (places_ == nullptr) throw closed("image table");
  if (missing_ > 0) throw invalid_argument("table", std::to_string(missing_) + " of its images were not set");
  sealed_ = true;
  return places_;
}

StagedBytes ImageTable::bytes(const std::string& argument, int64_t offset, int64_t count) const {
  const auto places = this->places();
  const auto first = static_cast<size_t>(offset), size = static_cast<size_t>(count);
  const size_t index = first / image_bytes_, begin = first % image_bytes_;
  if (index >= places->images.size() || begin + size > image_bytes_) {
    throw invalid_argument(argument, std::to_string(count) + " bytes at the offset " + std::to_string(offset) +
                                         " are not within one image of " + std::to_string(image_bytes_) + " bytes");
  }
  const std::shared_ptr<StagingMemory>& memory = places->memory[index];
  const auto within = static_cast<size_t>(places->images[index].data() - memory->bytes().data());
  return {memory, nullptr, memory->bytes().subspan(within + begin, size)};
}

}  // namespace dl::addon
