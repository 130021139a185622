#pragma once

#include <napi.h>

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "addon/staging_buffer.h"
#include "addon/wrapped.h"
#include "engine/image_batch.h"

namespace dl::addon {

/// The images of a batch wherever they lie, each in a staging buffer's memory, which the table holds.
struct ImagePlaces {
  std::vector<std::shared_ptr<StagingMemory>> memory;
  std::vector<std::span<const std::byte>> images;
  uint64_t id = 0;  // of no other pixels in this process
};

/// ImageTable of native/binding.ts.
class ImageTable {
 public:
  static constexpr const char* kName = "ImageTable";
  static constexpr napi_type_tag kTag{0x2f9c61e84b7d4a05, 0x93d05e1fa8c74b62};

  static void define(Napi::Env env, Napi::Object exports);

  explicit ImageTable(const Napi::CallbackInfo& info);
  void finalize(Napi::Env) { places_.reset(); }

  Napi::Value set(const Napi::CallbackInfo& info);
  Napi::Value close(const Napi::CallbackInfo& info);

  /// From now on they stay as they are. Throws kClosed, and kInvalidArgument where an image is missing.
  std::shared_ptr<const ImagePlaces> places() const;
  /// `count` bytes of one image; `offset` counts through all images. Throws what places() throws, and kInvalidArgument, which
  /// names `argument`.
  StagedBytes bytes(const std::string& argument, int64_t offset, int64_t count) const;

 private:
  size_t image_bytes_;
  size_t missing_;
  mutable bool sealed_ = false;
  std::shared_ptr<ImagePlaces> places_;  // null after close()
};

}  // namespace dl::addon
