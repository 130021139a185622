// A GPU's memory in the hands of somebody else.
#include <cuda_runtime_api.h>

#include <map>
#include <mutex>

#include "test/failing_gpus/computing_device.h"

namespace dl::test {
namespace {

struct Taken {
  std::mutex mutex;
  std::map<int, void*> memory;
};

Taken& taken() {
  static Taken& taken = *new Taken;
  return taken;
}

}  // namespace

void take_memory(int index, int64_t bytes_left) {
  const std::lock_guard lock(taken().mutex);
  if (taken().memory.contains(index)) return;
  size_t free = 0, total = 0;
  if (cudaMemGetInfo(&free, &total) != cudaSuccess) return;
  void* memory = nullptr;
  const auto left = static_cast<size_t>(bytes_left);
  if (free > left && cudaMalloc(&memory, free - left) == cudaSuccess) taken().memory[index] = memory;
}

void release_memory(int index) {
  const std::lock_guard lock(taken().mutex);
  const auto entry = taken().memory.find(index);
  if (entry == taken().memory.end()) return;
  cudaFree(entry->second);
  taken().memory.erase(entry);
}

}  // namespace dl::test
