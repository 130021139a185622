#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

namespace dl::addon {

/// Names pixels; never given twice in this process, and never 0.
uint64_t new_pixels_id();

/// The memory behind a StagingBuffer, aligned for float32. It holds anything until it is written: clearing it would take
/// nearly as long as writing it does. Large memory is kept when it is left, up to 64 MiB of it, and used again: what the
/// kernel gives anew has to be cleared by it, page by page. Made and destroyed on any thread.
class StagingMemory {
 public:
  /// Throws kOutOfMemory.
  explicit StagingMemory(size_t size);

  std::span<std::byte> bytes() const { return {data_.get(), size_}; }
  /// Of no other memory in this process, and never 0.
  uint64_t id() const { return id_; }

 private:
  struct Leave {
    size_t capacity;
    void operator()(std::byte* data) const;
  };
  std::unique_ptr<std::byte, Leave> data_;
  size_t size_;
  uint64_t id_;
};

}  // namespace dl::addon
