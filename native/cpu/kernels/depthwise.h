#pragma once

#include <cstdint>

#include "cpu/layout.h"

/// Depthwise 3 x 3 convolutions in float32, one filter a channel, activations in NHWC.
namespace dl::cpu {

struct DepthwiseShape {
  Layout in;
  Layout out;
  int64_t stride_height, stride_width;
  int64_t padding_height, padding_width;
};

/// y = W * x, or dx = W^T * dy.
struct DepthwiseConvolution {
  DepthwiseShape shape;
  bool data_gradient;
  const float* from;     // x, or dy
  const float* weights;  // (channels, 1, 3, 3)
  float* to;             // y, or dx
  float* scratch;
};

struct DepthwiseWeightGradient {
  DepthwiseShape shape;
  const float* x;
  const float* dy;
  float* gradient;  // (channels, 1, 3, 3)
  bool accumulate;  // add to the gradient
  float* scratch;
};

/// All give the same bits whatever the number of threads.
struct DepthwiseKernels {
  /// Channels come in multiples of this.
  int64_t channels;

  /// Values of scratch memory.
  int64_t (*convolution_scratch)(const DepthwiseShape& shape);
  void (*convolution)(DepthwiseConvolution job);
  int64_t (*weight_gradient_scratch)(const DepthwiseShape& shape);
  void (*weight_gradient)(const DepthwiseWeightGradient& job);
};

}  // namespace dl::cpu
