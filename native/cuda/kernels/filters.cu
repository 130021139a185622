#include "cuda/kernels/arithmetic/element.h"
#include "cuda/kernels/launch.h"

namespace dl::cuda {
namespace {

/// A thread gives one value of the target: Function::value(index of the target).
template <class T, class Function>
struct FilterProgram {
  static constexpr int kThreads = 256;
  static constexpr int kBlocks = 4;
  static constexpr int kPhases = 1;
  using Shared = Nothing;
  using State = Nothing;

  Function function;
  int64_t size;
  T* target;

  template <int kPhase>
  DL_HOST_DEVICE void phase(const Place& place, Shared&, State&) const {
    const int64_t i = place.block * kThreads + place.thread;
    if (i < size) store(target[i], function.value(i));
  }
};

template <class T, class Function>
cudaError_t start(const Launch& on, const Function& function, int64_t size, T* target) {
  using Program = FilterProgram<T, Function>;
  return launch(on, blocks_for(size, Program::kThreads), Program{function, size, target});
}

/// Exchanges the last two of three axes: source (outer, rows, columns), target (outer, columns, rows).
struct Transposition {
  const float* source;
  int64_t rows, columns;

  DL_HOST_DEVICE float value(int64_t i) const {
    const int64_t row = i % rows, column = i / rows % columns, outer = i / rows / columns;
    return source[(outer * rows + row) * columns + column];
  }
};

/// Rows of another width: the beginning of each is copied, the rest is 0.
struct Widening {
  const float* source;
  int64_t from, to;  // widths

  DL_HOST_DEVICE float value(int64_t i) const {
    const int64_t column = i % to;
    return column < from ? source[i / to * from + column] : 0.0f;
  }
};

}  // namespace

cudaError_t permute_filters(const Launch& on, int64_t filters, int64_t channels, int64_t positions, const float* source,
                            float* target, bool to_device_order) {
  const Transposition transposition =
      to_device_order ? Transposition{source, channels, positions} : Transposition{source, positions, channels};
  return start(on, transposition, filters * channels * positions, target);
}

template <class T>
cudaError_t pad_channels(const Launch& on, int64_t rows, int64_t channels, int64_t padded_channels, const float* source,
                         T* target) {
  return start(on, Widening{source, channels, padded_channels}, rows * padded_channels, target);
}

template cudaError_t pad_channels(const Launch&, int64_t, int64_t, int64_t, const float*, float*);
template cudaError_t pad_channels(const Launch&, int64_t, int64_t, int64_t, const float*, Bfloat16*);

cudaError_t unpad_channels(const Launch& on, int64_t rows, int64_t channels, int64_t padded_channels, const float* source,
                           float* target) {
  return start(on, Widening{source, padded_channels, channels}, rows * channels, target);
}

}  // namespace dl::cuda
