#include "engine/upcoming_batches.h"

#include <algorithm>

namespace dl {

void UpcomingBatches::announce(const ImageBatch& images, const std::weak_ptr<const void>& memory) {
  const std::lock_guard lock(mutex_);
  forget_expired();
  waiting_.push_back({images, memory});
}

void UpcomingBatches::begin(uint64_t id) {
  const std::lock_guard lock(mutex_);
  const auto found = std::ranges::find_if(waiting_, [id](const Announced& batch) { return batch.images.id == id; });
  if (found != waiting_.end()) waiting_.erase(waiting_.begin(), found + 1);
}

std::optional<UpcomingBatches::Held> UpcomingBatches::next() {
  const std::lock_guard lock(mutex_);
  for (const Announced& batch : waiting_) {
    if (std::shared_ptr<const void> memory = batch.memory.lock()) return Held{batch.images, std::move(memory)};
  }
  return std::nullopt;
}

void UpcomingBatches::forget_expired() {
  std::erase_if(waiting_, [](const Announced& batch) { return batch.memory.expired(); });
}

}  // namespace dl
