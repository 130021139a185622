#include "cuda/kernels/elementwise.h"

namespace dl::cuda {
namespace {

struct NoFault {
  static constexpr int kThreads = 32;
  static constexpr int kBlocks = 1;
  static constexpr int kPhases = 1;
  using Shared = Nothing;
  using State = Nothing;

  int64_t size;
  uint64_t* first_fault;

  template <int kPhase>
  DL_HOST_DEVICE void phase(const Place& place, Shared&, State&) const {
    if (place.thread == 0) *first_fault = static_cast<uint64_t>(size);
  }
};

template <bool kWhole>
struct FaultSearch {
  const float* values;
  float lowest, highest;
  uint64_t* first_fault;

  DL_HOST_DEVICE void eight(int64_t at, int count) const {
    const Vector8<float> vector = load8<kWhole>(values + at, count);
    int fault = kVector;
    DL_UNROLL
    for (int i = kVector - 1; i >= 0; --i) {
      const float v = value_of(vector, i);
      if (i < count && !(v >= lowest && v <= highest)) fault = i;
    }
    if (fault < kVector) lower(static_cast<uint64_t>(at + fault));
  }

 private:
  /// Whichever thread comes first, the least index stays.
  DL_HOST_DEVICE void lower(uint64_t index) const {
#if defined(__CUDA_ARCH__)
    atomicMin(reinterpret_cast<unsigned long long*>(first_fault), static_cast<unsigned long long>(index));
#else
    *first_fault = index < *first_fault ? index : *first_fault;
#endif
  }
};

}  // namespace

cudaError_t find_pixel_fault(const Launch& on, const float* values, int64_t size, float lowest, float highest,
                             uint64_t* first_fault) {
  const cudaError_t error = launch(on, 1, NoFault{size, first_fault});
  if (error != cudaSuccess) return error;
  return vectors_fit(size, values) ? launch_elementwise(on, size, FaultSearch<true>{values, lowest, highest, first_fault})
                                   : launch_elementwise(on, size, FaultSearch<false>{values, lowest, highest, first_fault});
}

}  // namespace dl::cuda
