#pragma once

#include <cstring>
#include <stdexcept>
#include <vector>

#include "cuda/kernels/kernels.h"

#if !defined(DL_CUDA_KERNELS_ON_HOST)
#include <cuda_runtime_api.h>
#endif

namespace dl::cuda::test {

/// Throws where a launcher or the runtime reports an error.
inline void check(cudaError_t error) {
  if (error != cudaSuccess) throw std::runtime_error("CUDA error " + std::to_string(static_cast<int>(error)));
}

/// Memory where the kernels run: on the device, or on the host. Lies between two guards, which read() checks; `shift` values move
/// the data away from their alignment.
template <class T>
class Buffer {
 public:
  explicit Buffer(const std::vector<T>& values, size_t shift = 0)
      : size_(values.size()), offset_(kGuard + shift * sizeof(T)), bytes_(offset_ + size_ * sizeof(T) + kGuard, kPattern) {
    for (size_t i = 0; i < size_; ++i) std::memcpy(bytes_.data() + offset_ + i * sizeof(T), &values[i], sizeof(T));
    upload();
  }
  /// `size` values that are not meant to be read.
  explicit Buffer(int64_t size, size_t shift = 0)
      : size_(static_cast<size_t>(size)),
        offset_(kGuard + shift * sizeof(T)),
        bytes_(offset_ + size_ * sizeof(T) + kGuard, kPattern) {
    upload();
  }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;

#if defined(DL_CUDA_KERNELS_ON_HOST)
  T* get() { return reinterpret_cast<T*>(bytes_.data() + offset_); }

 private:
  void upload() {}
  void download() {}
#else
  ~Buffer() { cudaFree(device_); }
  T* get() { return reinterpret_cast<T*>(static_cast<unsigned char*>(device_) + offset_); }

 private:
  void upload() {
    check(cudaMalloc(&device_, bytes_.size()));
    check(cudaMemcpy(device_, bytes_.data(), bytes_.size(), cudaMemcpyHostToDevice));
  }
  void download() { check(cudaMemcpy(bytes_.data(), device_, bytes_.size(), cudaMemcpyDeviceToHost)); }
  void* device_ = nullptr;
#endif

 public:
  /// Waits for the kernels; throws where a guard was overwritten.
  std::vector<T> read() {
    download();
    for (size_t i = 0; i < offset_; ++i) {
      if (bytes_[i] != kPattern) throw std::runtime_error("written before the buffer");
    }
    for (size_t i = offset_ + size_ * sizeof(T); i < bytes_.size(); ++i) {
      if (bytes_[i] != kPattern) throw std::runtime_error("written behind the buffer");
    }
    std::vector<T> values(size_);
    std::memcpy(values.data(), bytes_.data() + offset_, size_ * sizeof(T));
    return values;
  }
  T value() { return read().front(); }

 private:
  static constexpr size_t kGuard = 256;
  static constexpr unsigned char kPattern = 0xa5;

  size_t size_;
  size_t offset_;
  std::vector<unsigned char> bytes_;
};

/// Scratch of a reduction; its destructor's caller checks with counters_are_zero() that a kernel left it as it was.
class Scratch {
 public:
  explicit Scratch(const ReductionSize& size)
      : partial_(size.partial_bytes), counters_(std::vector<uint32_t>(static_cast<size_t>(size.counters), 0)) {}

  ReductionScratch get() { return {partial_.get(), counters_.get()}; }
  bool counters_are_zero() {
    partial_.read();
    for (const uint32_t counter : counters_.read()) {
      if (counter != 0) return false;
    }
    return true;
  }

 private:
  Buffer<unsigned char> partial_;
  Buffer<uint32_t> counters_;
};

/// A launch on a device of so many multiprocessors: the tiling follows that number, whatever the device has.
inline Launch on(int multiprocessors = 3) { return {nullptr, multiprocessors}; }

}  // namespace dl::cuda::test
