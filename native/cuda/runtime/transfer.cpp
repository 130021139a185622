#include "cuda/runtime/transfer.h"

#include <algorithm>
#include <cstring>

#include "cuda/runtime/error.h"

namespace dl::cuda {

Transfer::Transfer() = default;

void Transfer::upload(const void* from, void* to, int64_t bytes, cudaStream_t stream) {
  const std::span<const std::byte> piece(static_cast<const std::byte*>(from), static_cast<size_t>(bytes));
  upload({&piece, 1}, to, stream);
}

void Transfer::upload(std::span<const std::span<const std::byte>> pieces, void* to, cudaStream_t stream) {
  constexpr auto kSlot = static_cast<size_t>(kSlotBytes);
  auto* target = static_cast<std::byte*>(to);
  size_t piece = 0, taken = 0;  // of that piece
  while (piece < pieces.size()) {
    const size_t index = next_++ % kSlots;
    taken_[index].synchronize();
    size_t filled = 0;
    while (piece < pieces.size() && filled < kSlot) {
      const size_t size = std::min(kSlot - filled, pieces[piece].size() - taken);
      if (size > 0) std::memcpy(slot(index) + filled, pieces[piece].data() + taken, size);
      filled += size;
      taken += size;
      if (taken < pieces[piece].size()) break;
      ++piece;
      taken = 0;
    }
    if (filled == 0) return;
    check(cudaMemcpyAsync(target, slot(index), filled, cudaMemcpyHostToDevice, stream), "an upload");
    taken_[index].record(stream);
    target += filled;
  }
}

void Transfer::download(const void* from, void* to, int64_t bytes, cudaStream_t stream) {
  struct Part {
    int64_t first;
    size_t size;
    size_t index;
  };
  std::array<Part, kSlots> parts;
  size_t enqueued = 0, finished = 0;
  const auto finish_one = [&] {
    const Part& part = parts[finished++ % kSlots];
    taken_[part.index].synchronize();
    std::memcpy(static_cast<std::byte*>(to) + part.first, slot(part.index), part.size);
  };
  for (int64_t done = 0; done < bytes; done += kSlotBytes) {
    if (enqueued - finished == kSlots) finish_one();
    const auto size = static_cast<size_t>(std::min(kSlotBytes, bytes - done));
    const size_t index = next_++ % kSlots;
    taken_[index].synchronize();
    check(cudaMemcpyAsync(slot(index), static_cast<const std::byte*>(from) + done, size, cudaMemcpyDeviceToHost, stream),
          "a download");
    taken_[index].record(stream);
    parts[enqueued++ % kSlots] = {done, size, index};
  }
  while (finished < enqueued) finish_one();
}

}  // namespace dl::cuda
