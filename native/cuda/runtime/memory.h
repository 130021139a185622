#pragma once

#include <cstddef>
#include <cstdint>

#include "engine/error.h"

namespace dl::cuda {

/// What cuDNN and cuBLASLt may want of the device's memory beside the plans: they load kernels when they are first used.
constexpr int64_t kBytesBesidePlans = int64_t{256} << 20;

/// Whether that much is not free.
bool short_of_memory();

/// That `bytes` are not free, with them and those that are `free` in the metadata, less what is to be left `beside` them.
Error out_of_memory(int64_t bytes, int64_t beside = 0);

/// One piece of zeroed memory of the present device.
class DeviceMemory {
 public:
  DeviceMemory() = default;
  /// Throws kOutOfMemory, with `bytes` and those that are `free` in the metadata, where the memory is not there.
  explicit DeviceMemory(int64_t bytes);
  ~DeviceMemory();
  DeviceMemory(DeviceMemory&& other) noexcept;
  DeviceMemory& operator=(DeviceMemory&& other) noexcept;

  std::byte* data() const { return data_; }
  int64_t bytes() const { return bytes_; }
  template <class T>
  T* at(int64_t byte) const {
    return reinterpret_cast<T*>(data_ + byte);
  }

 private:
  std::byte* data_ = nullptr;
  int64_t bytes_ = 0;
};

/// Copies the host's memory to the device's. It is there when this returns, for streams that do not wait for the default one,
/// too.
void upload(void* to, const void* from, int64_t bytes);

/// Memory of the host that the device reads and writes by itself.
class PinnedMemory {
 public:
  PinnedMemory() = default;
  explicit PinnedMemory(int64_t bytes);
  ~PinnedMemory();
  PinnedMemory(PinnedMemory&& other) noexcept;
  PinnedMemory& operator=(PinnedMemory&& other) noexcept;

  std::byte* data() const { return data_; }
  template <class T>
  T* at(int64_t byte) const {
    return reinterpret_cast<T*>(data_ + byte);
  }

 private:
  std::byte* data_ = nullptr;
};

}  // namespace dl::cuda
