#include "engine/arena.h"

#include <algorithm>
#include <limits>
#include <numeric>

namespace dl {

BufferId ArenaPlan::add(int64_t bytes, int time) {
  const int64_t aligned = (bytes + alignment_ - 1) / alignment_ * alignment_;
  buffers_.push_back({aligned, time, time, 0});
  return static_cast<BufferId>(buffers_.size()) - 1;
}

BufferId ArenaPlan::add_persistent(int64_t bytes) {
  const BufferId buffer = add(bytes, std::numeric_limits<int>::min());
  buffers_.back().last = std::numeric_limits<int>::max();
  return buffer;
}

void ArenaPlan::use(BufferId buffer, int time) {
  Buffer& b = buffers_[static_cast<size_t>(buffer)];
  b.first = std::min(b.first, time);
  b.last = std::max(b.last, time);
}

int ArenaPlan::last_use(BufferId buffer) const { return buffers_[static_cast<size_t>(buffer)].last; }

int64_t ArenaPlan::offset(BufferId buffer) const { return buffers_[static_cast<size_t>(buffer)].offset; }

void ArenaPlan::assign() {
  std::vector<size_t> order(buffers_.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return buffers_[a].bytes > buffers_[b].bytes; });

  std::vector<const Buffer*> placed;  // by offset
  bytes_ = 0;
  for (const size_t index : order) {
    Buffer& buffer = buffers_[index];
    int64_t offset = 0;
    for (const Buffer* other : placed) {
      const bool together = buffer.first <= other->last && other->first <= buffer.last;
      if (!together || other->offset + other->bytes <= offset) continue;
      if (other->offset >= offset + buffer.bytes) break;
      offset = other->offset + other->bytes;
    }
    buffer.offset = offset;
    bytes_ = std::max(bytes_, offset + buffer.bytes);
    const auto place =
        std::upper_bound(placed.begin(), placed.end(), offset, [](int64_t o, const Buffer* b) { return o < b->offset; });
    placed.insert(place, &buffer);
  }
}

}  // namespace dl
