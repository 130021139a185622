#include "cuda/runtime/memory.h"

#include <cuda_runtime_api.h>

#include <algorithm>
#include <string>
#include <utility>

#include "cuda/runtime/error.h"

namespace dl::cuda {

namespace {

/// What goes down the default stream may end after the call; the engine's own streams do not wait for it.
void wait_for_default_stream() { check(cudaStreamSynchronize(nullptr), "waiting for the default stream"); }

struct MemoryInfo {
  int64_t free;
  int64_t total;
};

MemoryInfo memory_info() {
  size_t free = 0, total = 0;
  check(cudaMemGetInfo(&free, &total), "asking for the free memory");
  return {static_cast<int64_t>(free), static_cast<int64_t>(total)};
}

}  // namespace

bool short_of_memory() { return memory_info().free < kBytesBesidePlans; }

Error out_of_memory(int64_t bytes, int64_t beside) {
  const auto [free, total] = memory_info();
  const std::string wanted = std::to_string(bytes) + (beside > 0 ? " and beside them " + std::to_string(beside) : "");
  return {
      Reason::kOutOfMemory,
      wanted + " bytes of the device's memory are wanted, " + std::to_string(free) + " of " + std::to_string(total) + " are free",
      {{"bytes", std::to_string(bytes)}, {"free", std::to_string(std::max<int64_t>(free - beside, 0))}}};
}

DeviceMemory::DeviceMemory(int64_t bytes) : DeviceMemory() {
  if (bytes == 0) return;
  void* memory = nullptr;
  const cudaError_t error = cudaMalloc(&memory, static_cast<size_t>(bytes));
  if (error == cudaErrorMemoryAllocation) {
    cudaGetLastError();
    throw out_of_memory(bytes);
  }
  check(error, "taking device memory");
  data_ = static_cast<std::byte*>(memory);
  bytes_ = bytes;
  check(cudaMemset(memory, 0, static_cast<size_t>(bytes)), "clearing device memory");
  wait_for_default_stream();
}

DeviceMemory::~DeviceMemory() {
  if (data_ != nullptr) cudaFree(data_);  // fails only where the device is lost, and its memory with it
}

DeviceMemory::DeviceMemory(DeviceMemory&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}

DeviceMemory& DeviceMemory::operator=(DeviceMemory&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(bytes_, other.bytes_);
  return *this;
}

void upload(void* to, const void* from, int64_t bytes) {
  check(cudaMemcpy(to, from, static_cast<size_t>(bytes), cudaMemcpyHostToDevice), "an upload");
  wait_for_default_stream();
}

PinnedMemory::PinnedMemory(int64_t bytes) {
  void* memory = nullptr;
  const cudaError_t error = cudaHostAlloc(&memory, static_cast<size_t>(bytes), cudaHostAllocDefault);
  check(error, "taking pinned memory");
  data_ = static_cast<std::byte*>(memory);
}

PinnedMemory::~PinnedMemory() {
  if (data_ != nullptr) cudaFreeHost(data_);
}

PinnedMemory::PinnedMemory(PinnedMemory&& other) noexcept : data_(std::exchange(other.data_, nullptr)) {}

PinnedMemory& PinnedMemory::operator=(PinnedMemory&& other) noexcept {
  std::swap(data_, other.data_);
  return *this;
}

}  // namespace dl::cuda
