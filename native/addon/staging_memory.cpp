#include "addon/staging_memory.h"

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstdlib>
#include <iterator>
#include <mutex>
#include <string>
#include <vector>

#include "addon/error.h"

namespace dl::addon {
namespace {

/// Smaller memory is malloc's own business, which keeps it.
constexpr size_t kLeastKept = size_t{1} << 20;
constexpr size_t kMostKeptTogether = size_t{64} << 20;

/// So that batches of image files, none of which is as large as another, use the same memory: at most an eighth more, which
/// costs nothing where it is never written.
size_t capacity_for(size_t size) {
  if (size < kLeastKept) return size;
  const size_t step = std::bit_floor(size) / 8;
  return (size + step - 1) / step * step;
}

/// Memory that has been left, the oldest first.
class KeptMemory {
 public:
  /// Of exactly this capacity; null where there is none.
  std::byte* take(size_t capacity) {
    const std::scoped_lock lock(mutex_);
    const auto found = std::find_if(kept_.rbegin(), kept_.rend(), [&](const Kept& one) { return one.capacity == capacity; });
    if (found == kept_.rend()) return nullptr;
    std::byte* data = found->data;
    bytes_ -= capacity;
    kept_.erase(std::prev(found.base()));
    return data;
  }

  void keep(std::byte* data, size_t capacity) {
    const std::scoped_lock lock(mutex_);
    kept_.push_back({data, capacity});
    bytes_ += capacity;
    drop_beyond(kMostKeptTogether);
  }

  void drop_all() {
    const std::scoped_lock lock(mutex_);
    drop_beyond(0);
  }

 private:
  struct Kept {
    std::byte* data;
    size_t capacity;
  };

  void drop_beyond(size_t most) {
    auto end = kept_.begin();
    for (; bytes_ > most; ++end) {
      std::free(end->data);
      bytes_ -= end->capacity;
    }
    kept_.erase(kept_.begin(), end);
  }

  std::mutex mutex_;
  std::vector<Kept> kept_;
  size_t bytes_ = 0;
};

KeptMemory& kept_memory() {
  // Never destroyed: buffers may be left while the process ends.
  static KeptMemory& kept = *new KeptMemory;
  return kept;
}

std::byte* allocate(size_t capacity) { return static_cast<std::byte*>(std::malloc(capacity)); }

std::byte* memory_of(size_t capacity) {
  if (capacity < kLeastKept) return allocate(capacity);
  if (std::byte* kept = kept_memory().take(capacity)) return kept;
  if (std::byte* fresh = allocate(capacity)) return fresh;
  kept_memory().drop_all();
  return allocate(capacity);
}

}  // namespace

uint64_t new_pixels_id() {
  static std::atomic<uint64_t> last = 0;  // of the threads of all environments
  return ++last;
}

StagingMemory::StagingMemory(size_t size)
    : data_(memory_of(capacity_for(size)), Leave{capacity_for(size)}), size_(size), id_(new_pixels_id()) {
  if (data_ == nullptr) {
    throw Error(Reason::kOutOfMemory, "a staging buffer of " + std::to_string(size) + " bytes could not be had",
                {{"bytes", std::to_string(size)}});
  }
}

void StagingMemory::Leave::operator()(std::byte* data) const {
  if (capacity < kLeastKept || capacity > kMostKeptTogether) {
    std::free(data);
  } else {
    kept_memory().keep(data, capacity);
  }
}

}  // namespace dl::addon
