#include "cuda/kernels/elementwise.h"

namespace dl::cuda {
namespace {

template <class T, bool kWhole>
struct Sum {
  const T* a;
  const T* b;
  T* y;

  DL_HOST_DEVICE void eight(int64_t at, int count) const {
    const Vector8<T> first = load8<kWhole, Use::kLast>(a + at, count), second = load8<kWhole, Use::kLast>(b + at, count);
    float values[kVector];
    DL_UNROLL
    for (int i = 0; i < kVector; ++i) values[i] = value_of(first, i) + value_of(second, i);
    store8<kWhole>(y + at, count, values);
  }
};

template <bool kWhole>
struct Accumulation {
  const float* source;
  float* target;
  const StepInputs* inputs;

  DL_HOST_DEVICE void eight(int64_t at, int count) const {
    const Vector8<float> added = load8<kWhole, Use::kLast>(source + at, count);
    float values[kVector];
    unpack(added, values);
    if (inputs->accumulate != 0) {
      const Vector8<float> before = load8<kWhole, Use::kLast>(target + at, count);
      DL_UNROLL
      for (int i = 0; i < kVector; ++i) values[i] += value_of(before, i);
    }
    store8<kWhole>(target + at, count, values);
  }
};

}  // namespace

template <class T>
cudaError_t add(const Launch& on, int64_t size, const T* a, const T* b, T* y) {
  return vectors_fit(size, a, b, y) ? launch_elementwise(on, size, Sum<T, true>{a, b, y})
                                    : launch_elementwise(on, size, Sum<T, false>{a, b, y});
}

template cudaError_t add(const Launch&, int64_t, const float*, const float*, float*);
template cudaError_t add(const Launch&, int64_t, const Bfloat16*, const Bfloat16*, Bfloat16*);

cudaError_t accumulate(const Launch& on, int64_t size, const float* source, float* target, const StepInputs* inputs) {
  return vectors_fit(size, source, target) ? launch_elementwise(on, size, Accumulation<true>{source, target, inputs})
                                           : launch_elementwise(on, size, Accumulation<false>{source, target, inputs});
}

}  // namespace dl::cuda
