#include "cuda/kernels/pooling.h"

namespace dl::cuda {
namespace {

/// Neighbouring columns of a window whose loads are in flight together.
constexpr int kColumns = 3;

template <class T, bool kWhole>
struct MaxForward {
  static constexpr int kBlocks = 4;

  WindowAxis rows, columns;
  int64_t channels;
  const T* x;
  T* y;
  uint8_t* chosen;  // or null

  DL_HOST_DEVICE void eight(int64_t image, int row, int column, int channel, int count) const {
    const WindowSpan vertical(rows, row), horizontal(columns, column);
    float best[kVector];
    int position[kVector];
    DL_UNROLL
    for (int c = 0; c < kVector; ++c) {
      best[c] = -std::numeric_limits<float>::infinity();
      position[c] = (vertical.first - vertical.start) * columns.kernel + (horizontal.first - horizontal.start);
    }
    for (int iy = vertical.first; iy < vertical.after; ++iy) {
      const T* line = x + (image * rows.in + iy) * columns.in * channels + channel;
      for (int first = horizontal.first; first < horizontal.after; first += kColumns) {
        Vector8<T> values[kColumns] = {};
        DL_UNROLL
        for (int i = 0; i < kColumns; ++i) {
          if (first + i < horizontal.after) values[i] = load8<kWhole>(line + (first + i) * channels, count);
        }
        DL_UNROLL
        for (int i = 0; i < kColumns; ++i) {
          if (first + i >= horizontal.after) continue;
          const int place = (iy - vertical.start) * columns.kernel + (first + i - horizontal.start);
          DL_UNROLL
          for (int c = 0; c < kVector; ++c) {
            const float v = value_of(values[i], c);
            const bool larger = v > best[c] || v != v;  // NaN wins: a diverged step must be seen
            best[c] = larger ? v : best[c];
            position[c] = larger ? place : position[c];
          }
        }
      }
    }
    const int64_t at = ((image * rows.out + row) * columns.out + column) * channels + channel;
    store8<kWhole>(y + at, count, best);
    if (chosen == nullptr) return;
    uint8_t bytes[kVector];
    DL_UNROLL
    for (int c = 0; c < kVector; ++c) bytes[c] = static_cast<uint8_t>(position[c]);
    store_bytes<kWhole>(chosen + at, count, bytes);
  }
};

/// Gathers: no two threads add to the same value.
template <class T, bool kWhole>
struct MaxBackward {
  static constexpr int kBlocks = 4;

  WindowAxis rows, columns;
  int64_t channels;
  const T* dy;
  const T* dy2;  // or null
  const uint8_t* chosen;
  T* dx;

  DL_HOST_DEVICE void eight(int64_t image, int row, int column, int channel, int count) const {
    const WindowRange vertical(rows, row), horizontal(columns, column);
    float total[kVector] = {};
    for (int oy = vertical.first; oy <= vertical.last; ++oy) {
      for (int ox = horizontal.first; ox <= horizontal.last; ++ox) {
        const int64_t at = ((image * rows.out + oy) * columns.out + ox) * channels + channel;
        const int place =
            (row - (oy * rows.stride - rows.padding)) * columns.kernel + (column - (ox * columns.stride - columns.padding));
        uint8_t bytes[kVector];
        load_bytes<kWhole>(chosen + at, count, bytes);
        const Vector8<T> gradient = load8<kWhole>(dy + at, count);
        Vector8<T> second = {};
        if (dy2 != nullptr) second = load8<kWhole>(dy2 + at, count);
        DL_UNROLL
        for (int c = 0; c < kVector; ++c) {
          total[c] += bytes[c] == place ? value_of(gradient, c) + (dy2 != nullptr ? value_of(second, c) : 0.0f) : 0.0f;
        }
      }
    }
    store8<kWhole>(dx + ((image * rows.in + row) * columns.in + column) * channels + channel, count, total);
  }
};

/// Windows have at most 255 places: chosen positions are bytes.
bool positions_fit(const Window& window) { return window.kernel_height * window.kernel_width <= 255; }

}  // namespace

template <class T>
cudaError_t max_pool_forward(const Launch& on, const Window& window, const T* x, T* y, uint8_t* chosen) {
  if (!positions_fit(window)) return cudaErrorInvalidValue;
  const auto start = [&](auto whole) {
    return launch_pooling(on, window, true,
                          MaxForward<T, whole.value>{rows_of(window), columns_of(window), window.channels, x, y, chosen});
  };
  return vectors_fit(window.channels, x, y, chosen) ? start(std::true_type()) : start(std::false_type());
}

template <class T>
cudaError_t max_pool_backward(const Launch& on, const Window& window, const T* dy, const T* dy2, const uint8_t* chosen, T* dx) {
  if (!positions_fit(window)) return cudaErrorInvalidValue;
  const auto start = [&](auto whole) {
    return launch_pooling(on, window, false,
                          MaxBackward<T, whole.value>{rows_of(window), columns_of(window), window.channels, dy, dy2, chosen, dx});
  };
  return vectors_fit(window.channels, dy, dy2, chosen, dx) ? start(std::true_type()) : start(std::false_type());
}

template cudaError_t max_pool_forward(const Launch&, const Window&, const float*, float*, uint8_t*);
template cudaError_t max_pool_forward(const Launch&, const Window&, const Bfloat16*, Bfloat16*, uint8_t*);
template cudaError_t max_pool_backward(const Launch&, const Window&, const float*, const float*, const uint8_t*, float*);
template cudaError_t max_pool_backward(const Launch&, const Window&, const Bfloat16*, const Bfloat16*, const uint8_t*, Bfloat16*);

}  // namespace dl::cuda
