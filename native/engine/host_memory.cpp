#include "engine/host_memory.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <limits>
#include <string>
#include <utility>

#include "engine/error.h"

namespace dl {
namespace {

constexpr int64_t kUnknown = std::numeric_limits<int64_t>::max();

/// A number in a file of its own; kUnknown where there is no file or no number ("max").
int64_t number_in(const std::string& path) {
  std::ifstream file(path);
  int64_t number = 0;
  return file >> number ? number : kUnknown;
}

int64_t meminfo_bytes(const std::string& field) {
  std::ifstream file("/proc/meminfo");
  std::string name, unit;
  int64_t kibibytes = 0;
  while (file >> name >> kibibytes) {
    if (name == field + ":") return kibibytes * 1024;
    std::getline(file, unit);
  }
  return kUnknown;
}

int64_t control_group_bytes() {
  const int64_t limit = number_in("/sys/fs/cgroup/memory.max");
  const int64_t used = number_in("/sys/fs/cgroup/memory.current");
  return limit == kUnknown || used == kUnknown ? kUnknown : std::max<int64_t>(0, limit - used);
}

}  // namespace

int64_t available_memory_bytes() { return std::min(meminfo_bytes("MemAvailable"), control_group_bytes()); }

int64_t total_memory_bytes() { return std::min(meminfo_bytes("MemTotal"), number_in("/sys/fs/cgroup/memory.max")); }

HostMemory::HostMemory(int64_t bytes) {
  if (bytes == 0) return;
  const auto refuse = [&]() -> Error {
    return {Reason::kOutOfMemory,
            std::to_string(bytes) + " bytes of memory are wanted, " + std::to_string(available_memory_bytes()) + " are available",
            {{"bytes", std::to_string(bytes)}}};
  };
  // The kernel would promise more than there is and end the process when it is used.
  if (bytes > available_memory_bytes()) throw refuse();
  bytes_ = static_cast<size_t>(bytes);
  void* memory = mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) throw refuse();
  madvise(memory, bytes_, MADV_HUGEPAGE);  // advice only: without huge pages the memory is as good, but slower
  data_ = static_cast<std::byte*>(memory);
}

HostMemory::~HostMemory() {
  if (data_) munmap(data_, bytes_);
}

HostMemory::HostMemory(HostMemory&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}

HostMemory& HostMemory::operator=(HostMemory&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(bytes_, other.bytes_);
  return *this;
}

}  // namespace dl
