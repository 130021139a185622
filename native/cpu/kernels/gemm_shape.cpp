#include "cpu/kernels/gemm_convolution.h"

namespace dl::cpu {
namespace {

CorrelationAxis forward_axis(int64_t count, int64_t kernel, int64_t stride, int64_t padding) {
  return {.count = count,
          .taps = kernel,
          .in_step = stride,
          .in_first = -padding,
          .out_step = 1,
          .out_first = 0,
          .first_tap = 0,
          .tap_step = 1};
}

/// Of the inputs first, first + stride, ...: output o contributes by tap first + padding - o * stride, so that taps run
/// backwards.
CorrelationAxis gradient_axis(int64_t inputs, int64_t kernel, int64_t stride, int64_t padding, int64_t first) {
  const int64_t lowest_tap = (first + padding) % stride;
  const int64_t taps = lowest_tap < kernel ? (kernel - lowest_tap + stride - 1) / stride : 0;
  return {.count = first < inputs ? (inputs - first + stride - 1) / stride : 0,
          .taps = taps,
          .in_step = 1,
          .in_first = (first + padding) / stride - (taps - 1),
          .out_step = stride,
          .out_first = first,
          .first_tap = lowest_tap + stride * (taps - 1),
          .tap_step = -stride};
}

}  // namespace

Correlation GemmShape::forward() const {
  return {in, out, forward_axis(out.height, kernel_height, stride_height, padding_height),
          forward_axis(out.width, kernel_width, stride_width, padding_width)};
}

Correlation GemmShape::data_gradient(int64_t part) const {
  return {out, in, gradient_axis(in.height, kernel_height, stride_height, padding_height, part / stride_width),
          gradient_axis(in.width, kernel_width, stride_width, padding_width, part % stride_width)};
}

}  // namespace dl::cpu
