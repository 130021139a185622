#pragma once

#include <napi.h>

#include <cstddef>
#include <memory>
#include <span>
#include <string>

#include "addon/wrapped.h"
#include "engine/model.h"

namespace dl::addon {

/// The memory behind a StagingBuffer, aligned for float32. It holds anything until it is written: clearing it would take
/// nearly as long as writing it does.
class StagingMemory {
 public:
  /// Throws kOutOfMemory.
  explicit StagingMemory(size_t size);

  std::span<std::byte> bytes() const { return {data_.get(), size_}; }
  /// Of no other memory in this process, and never 0.
  uint64_t id() const { return id_; }

 private:
  struct Free {
    void operator()(std::byte* data) const;
  };
  std::unique_ptr<std::byte, Free> data_;
  size_t size_;
  uint64_t id_;
};

/// The images of a job: while one exists, its staging buffer cannot be written. Made and destroyed on the JavaScript thread.
struct StagedImages {
  std::shared_ptr<StagingMemory> memory;
  std::shared_ptr<void> write_lock;
  PixelFormat format = PixelFormat::kUint8;
  int64_t count = 0;
  uint64_t id = 0;  // of an announced batch: its pixels change no more

  /// The engine's view for images of this shape; throws kInvalidArgument where the buffer is too small for them.
  ImageBatch view(ImageShape shape) const;
};

/// Some bytes of a staging buffer, for a job that reads or writes them: while one exists, the buffer cannot be written by others.
/// Made and destroyed on the JavaScript thread.
struct StagedBytes {
  std::shared_ptr<StagingMemory> memory;
  std::shared_ptr<void> write_lock;
  std::span<std::byte> bytes;
};

/// StagingBuffer of native/binding.ts.
class StagingBuffer {
 public:
  static constexpr const char* kName = "StagingBuffer";
  static constexpr napi_type_tag kTag{0x6f0d2c5b9a3e4187, 0x8b14e7d05c92f36a};

  static void define(Napi::Env env, Napi::Object exports);

  explicit StagingBuffer(const Napi::CallbackInfo& info);
  void finalize(Napi::Env env) { release(env); }

  Napi::Value byte_length(const Napi::CallbackInfo& info);
  Napi::Value write(const Napi::CallbackInfo& info);
  Napi::Value write_pieces(const Napi::CallbackInfo& info);
  Napi::Value read(const Napi::CallbackInfo& info);
  Napi::Value close(const Napi::CallbackInfo& info);

  /// An ImageBatch of native/binding.ts; throws kInvalidArgument, and kClosed for a closed buffer.
  static StagedImages to_images(Napi::Env env, const Napi::Value& batch) { return to_images(env, batch, false); }
  /// The same of one that is announced: its buffer refuses to be written from now on.
  static StagedImages to_announced(Napi::Env env, const Napi::Value& batch) { return to_images(env, batch, true); }

  enum class Use { kRead, kWritten };
  /// `count` bytes of a staging buffer; throws kInvalidArgument, which names `argument`, and kClosed for a closed buffer.
  static StagedBytes to_bytes(Napi::Env env, const Napi::Value& buffer, const std::string& argument, int64_t offset,
                              int64_t count, Use use);

 private:
  static StagedImages to_images(Napi::Env env, const Napi::Value& batch, bool announced);
  void expect_not_announced(const std::string& argument) const;
  void release(Napi::Env env);
  void expect_writable() const;
  /// Where so many bytes go.
  std::span<std::byte> place(const Napi::Value& offset, size_t length) const;

  size_t size_;
  std::shared_ptr<StagingMemory> memory_;  // null after close()
  bool announced_ = false;
  std::shared_ptr<void> lock_ = std::make_shared<char>('\0');  // its copies are the jobs that read
};

}  // namespace dl::addon
