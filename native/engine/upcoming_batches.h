#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>

#include "engine/options.h"

namespace dl {

/// Batches that wait for their training step, in the order of their steps. One thread announces them as they become complete; the
/// device's thread looks at them while a step computes, so that pixels can be brought to where they are needed next. That changes
/// nothing but the time that the next step takes: an announced batch need not come, and one that comes need not be announced.
class UpcomingBatches {
 public:
  /// A batch and what keeps its pixels.
  struct Held {
    ImageBatch images;
    std::shared_ptr<const void> memory;
  };

  /// The images have an id. Their pixels stay as they are for as long as `memory` lives; when it is gone, so is the announcement.
  void announce(const ImageBatch& images, const std::weak_ptr<const void>& memory);
  /// The step of this batch begins: neither it nor those before it wait any longer. Does nothing where it was not announced.
  void begin(uint64_t id);
  /// The one whose step comes next; nothing where none waits.
  std::optional<Held> next();

 private:
  struct Announced {
    ImageBatch images;
    std::weak_ptr<const void> memory;
  };

  void forget_expired();

  std::mutex mutex_;
  std::deque<Announced> waiting_;  // under mutex_
};

}  // namespace dl
