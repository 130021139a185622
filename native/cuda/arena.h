#pragma once

#include <cstddef>
#include <cstdint>

#include "cuda/kernels/kernels.h"
#include "engine/arena.h"

namespace dl::cuda {

/// Device memory begins at such multiples: what cudaMalloc gives, and more than any kernel asks for.
constexpr int64_t kArenaAlignment = 256;

/// Scratch of a reduction, planned.
struct PlannedReduction {
  BufferId partial = -1;
};

/// The arena once it has memory.
struct Arena {
  const ArenaPlan* plan = nullptr;
  std::byte* memory = nullptr;
  BufferId counters = -1;  // shared by all reductions: they run one after the other and leave zeros

  template <class T>
  T* at(BufferId buffer) const {
    return buffer < 0 ? nullptr : reinterpret_cast<T*>(memory + plan->offset(buffer));
  }
  ReductionScratch scratch(const PlannedReduction& reduction) const {
    return {at<void>(reduction.partial), at<uint32_t>(counters)};
  }
};

}  // namespace dl::cuda
