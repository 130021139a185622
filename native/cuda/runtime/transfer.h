#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "cuda/runtime/memory.h"
#include "cuda/runtime/stream.h"

namespace dl::cuda {

/// Copies between ordinary memory and the device by way of a ring of pinned slots: while the device takes one, the host fills the
/// next. Ordinary memory would be copied by the driver in the same way, but the host would wait for it.
class Transfer {
 public:
  static constexpr int64_t kSlotBytes = int64_t{4} << 20;

  Transfer();
  /// Enqueues the copy; `from` is free again when the call returns.
  void upload(const void* from, void* to, int64_t bytes, cudaStream_t stream);
  /// The same of several pieces, one after the other.
  void upload(std::span<const std::span<const std::byte>> pieces, void* to, cudaStream_t stream);
  /// Waits until `to` is filled by what the stream leaves in `from`.
  void download(const void* from, void* to, int64_t bytes, cudaStream_t stream);

 private:
  static constexpr int64_t kSlots = 4;

  std::byte* slot(size_t index) const { return memory_.data() + static_cast<int64_t>(index) * kSlotBytes; }

  PinnedMemory memory_{kSlots * kSlotBytes};
  std::array<Event, kSlots> taken_;
  size_t next_ = 0;
};

}  // namespace dl::cuda
