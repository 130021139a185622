#include "cuda/kernels/pooling.h"

namespace dl::cuda {
namespace {

template <class T, bool kWhole>
struct AverageForward {
  static constexpr int kBlocks = 4;

  WindowAxis rows, columns;
  int64_t channels;
  bool count_include_pad;
  const T* x;
  T* y;

  DL_HOST_DEVICE void eight(int64_t image, int row, int column, int channel, int count) const {
    const WindowSpan vertical(rows, row), horizontal(columns, column);
    float total[kVector] = {};
    for (int iy = vertical.first; iy < vertical.after; ++iy) {
      const T* line = x + (image * rows.in + iy) * columns.in * channels + channel;
      for (int ix = horizontal.first; ix < horizontal.after; ++ix) {
        const Vector8<T> values = load8<kWhole>(line + ix * channels, count);
        DL_UNROLL
        for (int c = 0; c < kVector; ++c) total[c] += value_of(values, c);
      }
    }
    const float divisor = average_divisor(vertical, horizontal, count_include_pad);
    DL_UNROLL
    for (int c = 0; c < kVector; ++c) total[c] /= divisor;
    store8<kWhole>(y + ((image * rows.out + row) * columns.out + column) * channels + channel, count, total);
  }
};

/// Gathers: no two threads add to the same value.
template <class T, bool kWhole>
struct AverageBackward {
  static constexpr int kBlocks = 3;

  WindowAxis rows, columns;
  int64_t channels;
  bool count_include_pad;
  const T* dy;
  const T* dy2;  // or null
  T* dx;

  DL_HOST_DEVICE void eight(int64_t image, int row, int column, int channel, int count) const {
    const WindowRange vertical(rows, row), horizontal(columns, column);
    float total[kVector] = {};
    for (int oy = vertical.first; oy <= vertical.last; ++oy) {
      for (int ox = horizontal.first; ox <= horizontal.last; ++ox) {
        const int64_t at = ((image * rows.out + oy) * columns.out + ox) * channels + channel;
        const float share = 1.0f / average_divisor(WindowSpan(rows, oy), WindowSpan(columns, ox), count_include_pad);
        const Vector8<T> gradient = load8<kWhole>(dy + at, count);
        Vector8<T> second = {};
        if (dy2 != nullptr) second = load8<kWhole>(dy2 + at, count);
        DL_UNROLL
        for (int c = 0; c < kVector; ++c) {
          total[c] += (value_of(gradient, c) + (dy2 != nullptr ? value_of(second, c) : 0.0f)) * share;
        }
      }
    }
    store8<kWhole>(dx + ((image * rows.in + row) * columns.in + column) * channels + channel, count, total);
  }
};

}  // namespace

template <class T>
cudaError_t average_pool_forward(const Launch& on, const Window& window, const T* x, T* y) {
  const auto start = [&](auto whole) {
    return launch_pooling(
        on, window, true,
        AverageForward<T, whole.value>{rows_of(window), columns_of(window), window.channels, window.count_include_pad, x, y});
  };
  return vectors_fit(window.channels, x, y) ? start(std::true_type()) : start(std::false_type());
}

template <class T>
cudaError_t average_pool_backward(const Launch& on, const Window& window, const T* dy, const T* dy2, T* dx) {
  const auto start = [&](auto whole) {
    return launch_pooling(on, window, false,
                          AverageBackward<T, whole.value>{rows_of(window), columns_of(window), window.channels,
                                                          window.count_include_pad, dy, dy2, dx});
  };
  return vectors_fit(window.channels, dy, dy2, dx) ? start(std::true_type()) : start(std::false_type());
}

template cudaError_t average_pool_forward(const Launch&, const Window&, const float*, float*);
template cudaError_t average_pool_forward(const Launch&, const Window&, const Bfloat16*, Bfloat16*);
template cudaError_t average_pool_backward(const Launch&, const Window&, const float*, const float*, float*);
template cudaError_t average_pool_backward(const Launch&, const Window&, const Bfloat16*, const Bfloat16*, Bfloat16*);

}  // namespace dl::cuda
