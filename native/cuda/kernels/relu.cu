#include "cuda/kernels/arithmetic/activation.h"
#include "cuda/kernels/elementwise.h"

namespace dl::cuda {
namespace {

template <class T, bool kWhole>
struct ReluForward {
  const T* x;
  T* y;
  Bounds bound;

  DL_HOST_DEVICE void eight(int64_t at, int count) const {
    float values[kVector];
    unpack(load8<kWhole, Use::kLast>(x + at, count), values);
    DL_UNROLL
    for (int i = 0; i < kVector; ++i) values[i] = bound.clamp(values[i]);
    store8<kWhole>(y + at, count, values);
  }
};

template <class T, bool kWhole>
struct ReluBackward {
  const T* dy;
  const T* dy2;  // or null
  const T* y;
  T* dx;
  Bounds bound;  // as y is stored

  DL_HOST_DEVICE void eight(int64_t at, int count) const {
    const Vector8<T> gradient = load8<kWhole, Use::kLast>(dy + at, count), output = load8<kWhole, Use::kLast>(y + at, count);
    float values[kVector];
    unpack(gradient, values);
    if (dy2 != nullptr) {
      const Vector8<T> second = load8<kWhole, Use::kLast>(dy2 + at, count);
      DL_UNROLL
      for (int i = 0; i < kVector; ++i) values[i] += value_of(second, i);
    }
    DL_UNROLL
    for (int i = 0; i < kVector; ++i) values[i] = bound.pass(value_of(output, i)) ? values[i] : 0.0f;
    store8<kWhole>(dx + at, count, values);
  }
};

}  // namespace

template <class T>
cudaError_t relu_forward(const Launch& on, int64_t size, const T* x, float upper, T* y) {
  const Bounds bound{0, upper};
  return vectors_fit(size, x, y) ? launch_elementwise(on, size, ReluForward<T, true>{x, y, bound})
                                 : launch_elementwise(on, size, ReluForward<T, false>{x, y, bound});
}

template <class T>
cudaError_t relu_backward(const Launch& on, int64_t size, const T* dy, const T* dy2, const T* y, float upper, T* dx) {
  const Bounds bound{0, as_stored<T>(upper)};
  return vectors_fit(size, dy, dy2, y, dx) ? launch_elementwise(on, size, ReluBackward<T, true>{dy, dy2, y, dx, bound})
                                           : launch_elementwise(on, size, ReluBackward<T, false>{dy, dy2, y, dx, bound});
}

template cudaError_t relu_forward(const Launch&, int64_t, const float*, float, float*);
template cudaError_t relu_forward(const Launch&, int64_t, const Bfloat16*, float, Bfloat16*);
template cudaError_t relu_backward(const Launch&, int64_t, const float*, const float*, const float*, float, float*);
template cudaError_t relu_backward(const Launch&, int64_t, const Bfloat16*, const Bfloat16*, const Bfloat16*, float, Bfloat16*);

}  // namespace dl::cuda
