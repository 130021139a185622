#pragma once

#include <cstdint>

#include "cuda/kernels/arithmetic/host_device.h"

namespace dl::cuda {

/// Sizes of a pooling layer. Positions of the window count row by row from 0; a window has at most 255.
struct Window {
  int64_t images = 0;
  int64_t channels = 0;
  int64_t in_height = 0, in_width = 0;
  int64_t out_height = 0, out_width = 0;  // window_output_size of engine/graph.h
  int64_t kernel_height = 1, kernel_width = 1;
  int64_t stride_height = 1, stride_width = 1;
  int64_t padding_height = 0, padding_width = 0;
  bool count_include_pad = true;  // average only; PyTorch's rule in ceil mode
};

/// A window layer along one axis.
struct WindowAxis {
  int in, out, kernel, stride, padding;
};
inline WindowAxis rows_of(const Window& w) {
  return {static_cast<int>(w.in_height), static_cast<int>(w.out_height), static_cast<int>(w.kernel_height),
          static_cast<int>(w.stride_height), static_cast<int>(w.padding_height)};
}
inline WindowAxis columns_of(const Window& w) {
  return {static_cast<int>(w.in_width), static_cast<int>(w.out_width), static_cast<int>(w.kernel_width),
          static_cast<int>(w.stride_width), static_cast<int>(w.padding_width)};
}

/// The part of window `o` that lies inside the input, and how many of its places count in an average.
struct WindowSpan {
  int start;         // of the window; may be negative
  int first, after;  // inside the input
  int padded;        // places inside the input or its padding; what ceil mode adds beyond it does not count

  DL_HOST_DEVICE WindowSpan(const WindowAxis& axis, int o) {
    start = o * axis.stride - axis.padding;
    const int end = start + axis.kernel, padded_end = axis.in + axis.padding;
    first = start < 0 ? 0 : start;
    after = end < axis.in ? end : axis.in;
    padded = (end < padded_end ? end : padded_end) - start;
  }
};

/// The windows that hold place `i` of the input: first..last.
struct WindowRange {
  int first, last;

  DL_HOST_DEVICE WindowRange(const WindowAxis& axis, int i) {
    const int after = i + axis.padding - axis.kernel + 1;  // a window that begins here or later holds i
    first = after <= 0 ? 0 : (after + axis.stride - 1) / axis.stride;
    last = (i + axis.padding) / axis.stride;
    if (last > axis.out - 1) last = axis.out - 1;
  }
};

DL_HOST_DEVICE float average_divisor(const WindowSpan& rows, const WindowSpan& columns, bool count_include_pad) {
  const int inside = (rows.after - rows.first) * (columns.after - columns.first);
  return static_cast<float>(count_include_pad ? rows.padded * columns.padded : inside);
}

}  // namespace dl::cuda
