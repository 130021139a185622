#include "cuda/kernels/elementwise.h"

namespace dl::cuda {
namespace {

template <class From, class To, bool kWhole>
struct Cast {
  const From* x;
  To* y;

  DL_HOST_DEVICE void eight(int64_t at, int count) const {
    float values[kVector];
    unpack(load8<kWhole, Use::kLast>(x + at, count), values);
    store8<kWhole>(y + at, count, values);
  }
};

template <class From, class To>
cudaError_t start(const Launch& on, int64_t size, const From* x, To* y) {
  return vectors_fit(size, x, y) ? launch_elementwise(on, size, Cast<From, To, true>{x, y})
                                 : launch_elementwise(on, size, Cast<From, To, false>{x, y});
}

}  // namespace

cudaError_t cast(const Launch& on, int64_t size, const Bfloat16* x, float* y) { return start(on, size, x, y); }
cudaError_t cast(const Launch& on, int64_t size, const float* x, Bfloat16* y) { return start(on, size, x, y); }

}  // namespace dl::cuda
