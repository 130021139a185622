#include "cuda/runtime/transfer.h"

#include <algorithm>
#include <cstring>

#include "cuda/runtime/error.h"

namespace dl::cuda {

Transfer::Transfer() = default;

void Transfer::upload(const void* from, void* to, int64_t bytes, cudaStream_t stream) {
  for (int64_t done = 0; done < bytes; done += kSlotBytes) {
    const auto size = static_cast<size_t>(std::min(kSlotBytes, bytes - done));
    const size_t index = next_++ % kSlots;
    taken_[index].synchronize();
    std::memcpy(slot(index), static_cast<const std::byte*>(from) + done, size);
    check(cudaMemcpyAsync(static_cast<std::byte*>(to) + done, slot(index), size, cudaMemcpyHostToDevice, stream), "an upload");
    taken_[index].record(stream);
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
