// Stands in for the CUDA runtime where there is no GPU: device memory is the host's, and streams do what they are given at a pace
// that a test can choose. Only what the backend calls.
#include <cuda_runtime_api.h>

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>

#include "test/cuda_on_host/streams.h"

namespace {

constexpr size_t kAlignment = 256;
constexpr size_t kDeviceBytes = size_t{16} << 30;

/// Bytes that are left on the device of this thread: memory has an end, and the host's kernel would promise more than there is.
thread_local std::atomic<size_t>& free_bytes = *new std::atomic<size_t>(kDeviceBytes);

struct Piece {
  size_t bytes;
  std::atomic<size_t>* device;
};

struct Pieces {
  std::mutex mutex;
  std::map<void*, Piece> of;
};

/// Never destroyed: devices live as long as the process.
Pieces& pieces() {
  static Pieces& pieces = *new Pieces;
  return pieces;
}

cudaError_t take(void** memory, size_t bytes) {
  const size_t taken = (bytes + kAlignment - 1) / kAlignment * kAlignment;
  if (taken > free_bytes) return cudaErrorMemoryAllocation;
  *memory = std::aligned_alloc(kAlignment, taken);
  if (*memory == nullptr) return cudaErrorMemoryAllocation;
  const std::lock_guard lock(pieces().mutex);
  pieces().of[*memory] = {taken, &free_bytes};
  free_bytes -= taken;
  return cudaSuccess;
}

void release(void* memory) {
  const std::lock_guard lock(pieces().mutex);
  const auto piece = pieces().of.find(memory);
  if (piece == pieces().of.end()) return;
  *piece->second.device += piece->second.bytes;
  pieces().of.erase(piece);
  std::free(memory);
}

/// The error that every call ends with whose device is lost; else what `call` returns.
template <class Call>
cudaError_t fate_or(const Call& call) {
  const cudaError_t fate = dl::test::fate_of_thread();
  return fate == cudaSuccess ? call() : fate;
}

}  // namespace

extern "C" {

cudaError_t cudaMalloc(void** memory, size_t bytes) {
  return fate_or([&] { return take(memory, bytes); });
}
cudaError_t cudaFree(void* memory) {
  return fate_or([&] {
    dl::test::finish_streams();
    release(memory);
    return cudaSuccess;
  });
}
cudaError_t cudaHostAlloc(void** memory, size_t bytes, unsigned) {
  *memory = std::aligned_alloc(kAlignment, (bytes + kAlignment - 1) / kAlignment * kAlignment);
  return *memory == nullptr ? cudaErrorMemoryAllocation : cudaSuccess;
}
cudaError_t cudaFreeHost(void* memory) {
  dl::test::finish_streams();
  std::free(memory);
  return cudaSuccess;
}
cudaError_t cudaMemset(void* memory, int value, size_t bytes) {
  return fate_or([&] {
    std::memset(memory, value, bytes);
    return cudaSuccess;
  });
}
cudaError_t cudaMemcpy(void* to, const void* from, size_t bytes, cudaMemcpyKind) {
  return fate_or([&] {
    if (bytes > 0) std::memcpy(to, from, bytes);
    return cudaSuccess;
  });
}
cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t bytes, cudaMemcpyKind kind, cudaStream_t stream) {
  const cudaError_t refusal = dl::test::take_refusal(stream);
  if (refusal == cudaSuccess) dl::test::enqueue(stream, [=] { cudaMemcpy(to, from, bytes, kind); });
  return refusal;
}
cudaError_t cudaMemGetInfo(size_t* free, size_t* total) {
  return fate_or([&] {
    *free = free_bytes;
    *total = kDeviceBytes;
    return cudaSuccess;
  });
}

cudaError_t cudaSetDevice(int) { return cudaSuccess; }
cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr, int) {
  *value = 3;
  return cudaSuccess;
}
cudaError_t cudaGetDeviceProperties(cudaDeviceProp*, int) { return cudaErrorNoDevice; }
cudaError_t cudaDriverGetVersion(int* version) {
  *version = 0;
  return cudaSuccess;
}
cudaError_t cudaGetLastError() { return cudaSuccess; }
cudaError_t cudaPeekAtLastError() { return cudaSuccess; }
const char* cudaGetErrorName(cudaError_t error) {
  return error == cudaErrorIllegalAddress ? "cudaErrorIllegalAddress" : "an error";
}
const char* cudaGetErrorString(cudaError_t) { return "of no CUDA runtime"; }

}  // extern "C"
