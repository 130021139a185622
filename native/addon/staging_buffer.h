#pragma once

#include <napi.h>

#include <cstddef>
#include <memory>
#include <span>
#include <string>

#include "addon/staging_memory.h"
#include "addon/wrapped.h"
#include "engine/model.h"

namespace dl::addon {

/// 64 GiB: beyond it, a size is a mistake.
inline constexpr int64_t kMaxStagingBytes = int64_t{1} << 36;

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

  enum class Use { kRead, kWritten };
  /// `count` bytes of a staging buffer; throws kInvalidArgument, which names `argument`, and kClosed for a closed buffer.
  static StagedBytes to_bytes(Napi::Env env, const Napi::Value& buffer, const std::string& argument, int64_t offset,
                              int64_t count, Use use);

  /// From now on the buffer refuses to be written. Throws kClosed.
  void settle();
  bool settled() const { return settled_; }
  /// Throws kClosed.
  const std::shared_ptr<StagingMemory>& memory() const;
  /// While a copy lives, the buffer cannot be written.
  const std::shared_ptr<void>& write_lock() const { return lock_; }

 private:
  void expect_not_settled(const std::string& argument) const;
  void release(Napi::Env env);
  void expect_writable() const;
  /// Where so many bytes go.
  std::span<std::byte> place(const Napi::Value& offset, size_t length) const;

  size_t size_;
  std::shared_ptr<StagingMemory> memory_;  // null after close()
  bool settled_ = false;
  std::shared_ptr<void> lock_ = std::make_shared<char>('\0');  // its copies are the jobs that read
};

}  // namespace dl::addon
