#pragma once

#include <cstdint>

#include "cpu/kernels/output_stage.h"
#include "cpu/layout.h"

/// Depthwise 3 x 3 convolutions, one filter a channel, activations in NHWC.
namespace dl::cpu {

struct DepthwiseShape {
  Layout in;
  Layout out;
  int64_t stride_height, stride_width;
  int64_t padding_height, padding_width;

  /// Whether the data gradient is a convolution itself, with the filters turned by 180 degrees: without strides.
  bool turns_filters() const { return stride_height == 1 && stride_width == 1; }
  int64_t filter_values() const { return 9 * in.channels; }
};

/// y = W * x, or dx = W^T * dy by the turned filters where turns_filters() says so, else by the same.
template <class T>
struct DepthwiseConvolution {
  DepthwiseShape shape;
  bool data_gradient;
  const T* from;         // x, or dy
  const float* filters;  // (tap, channel)
  OutputStage stage;
  T* to;  // y, or dx
};

template <class T>
struct DepthwiseWeightGradient {
  DepthwiseShape shape;
  const T* x;
  const T* dy;
  float* gradient;  // (channels, 1, 3, 3)
  bool accumulate;  // add to the gradient
  float* scratch;
};

/// All give the same bits whatever the number of threads.
template <class T>
struct DepthwiseKernels {
  /// Channels come in multiples of this.
  int64_t channels;

  /// Weights (channels, 1, 3, 3) to filters (tap, channel), if wanted turned by 180 degrees.
  void (*filters)(const float* weights, int64_t channels, bool turned, float* filters);
  void (*convolution)(DepthwiseConvolution<T> job);
  /// Values of scratch memory.
  int64_t (*weight_gradient_scratch)(const DepthwiseShape& shape);
  void (*weight_gradient)(const DepthwiseWeightGradient<T>& job);
};

}  // namespace dl::cpu
