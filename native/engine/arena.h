#pragma once

#include <cstdint>
#include <vector>

namespace dl {

/// Index of a buffer in an ArenaPlan.
using BufferId = int;

/// Places buffers whose lifetimes are known in one piece of memory: two that are never alive together may share bytes. Time is
/// counted in operations of the plan.
class ArenaPlan {
 public:
  static constexpr int64_t kAlignment = 64;  // bytes: a cache line, and the widest vector register

  /// Every buffer begins at a multiple of `alignment` bytes, a power of two.
  explicit ArenaPlan(int64_t alignment = kAlignment) : alignment_(alignment) {}

  /// A buffer that is first written at `time`.
  BufferId add(int64_t bytes, int time);
  /// A buffer that keeps its contents from step to step.
  BufferId add_persistent(int64_t bytes);
  /// The buffer is read or written at `time`, too.
  void use(BufferId buffer, int time);
  /// The last time at which the buffer is used, as known so far.
  int last_use(BufferId buffer) const;
  /// Chooses the offsets: the largest buffer first, each at the lowest place that is free throughout its life.
  void assign();

  /// After assign(): bytes of the whole arena.
  int64_t bytes() const { return bytes_; }
  /// After assign(): where the buffer begins.
  int64_t offset(BufferId buffer) const;

 private:
  struct Buffer {
    int64_t bytes;
    int first;
    int last;
    int64_t offset;
  };
  int64_t alignment_;
  std::vector<Buffer> buffers_;
  int64_t bytes_ = 0;
};

}  // namespace dl
