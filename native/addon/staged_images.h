#pragma once

#include <napi.h>

#include <memory>

#include "addon/image_table.h"
#include "addon/staging_buffer.h"

namespace dl::addon {

/// The images of a job: while one exists, its staging buffer cannot be written. Made and destroyed on the JavaScript thread.
struct StagedImages {
  std::shared_ptr<StagingMemory> buffer;
  std::shared_ptr<void> write_lock;
  std::shared_ptr<const ImagePlaces> table;  // in place of the buffer
  PixelFormat format = PixelFormat::kUint8;
  int64_t count = 0;
  uint64_t id = 0;  // of pixels that change no more

  /// The engine's view for images of this shape; throws kInvalidArgument where the buffer is too small for them.
  ImageBatch view(ImageShape shape) const;
  /// The same of all that the buffer holds.
  ImageBatch whole() const;
  /// What keeps the pixels.
  std::shared_ptr<const void> memory() const;
};

/// An ImageBatch of native/binding.ts; throws kInvalidArgument, and kClosed for a closed buffer or table.
StagedImages to_images(Napi::Env env, const Napi::Value& batch);
/// The same of one that is announced: its buffer refuses to be written from now on.
StagedImages to_announced(Napi::Env env, const Napi::Value& batch);

}  // namespace dl::addon
