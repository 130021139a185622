#pragma once

#include <cstddef>
#include <cstdint>

namespace dl {

/// Bytes that the process can still take without being killed: what the machine has available, and its control group's limit.
int64_t available_memory_bytes();

/// Bytes of memory of the machine.
int64_t total_memory_bytes();

/// One large piece of zeroed memory, page-aligned, in huge pages where the system has them.
class HostMemory {
 public:
  HostMemory() = default;
  /// Throws kOutOfMemory, with `bytes` in the metadata, where the memory is not there.
  explicit HostMemory(int64_t bytes);
  ~HostMemory();
  HostMemory(HostMemory&& other) noexcept;
  HostMemory& operator=(HostMemory&& other) noexcept;

  std::byte* data() const { return data_; }
  template <class T>
  T* at(int64_t byte) const {
    return reinterpret_cast<T*>(data_ + byte);
  }

 private:
  std::byte* data_ = nullptr;
  size_t bytes_ = 0;
};

}  // namespace dl
