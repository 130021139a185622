#pragma once

#include <cstdint>

#include "cpu/layout.h"

/// Convolutions as products of matrices that are never written out (implicit GEMM), activations in NHWC.
namespace dl::cpu {

/// One direction of a correlation: y[q * out_step + out_first] sums x[q * in_step + in_first + t] over the taps t; what lies
/// outside x is 0. Tap t is the filter's value first_tap + t * tap_step.
struct CorrelationAxis {
  int64_t count;  // of outputs
  int64_t taps;
  int64_t in_step, in_first;
  int64_t out_step, out_first;
  int64_t first_tap, tap_step;
};

/// A convolution, or a part of its data gradient: with stride s the gradient falls apart into s x s correlations of stride 1,
/// each with the taps that reach its pixels.
struct Correlation {
  Layout in, out;
  CorrelationAxis rows, columns;
};

/// A convolution without groups.
struct GemmShape {
  Layout in, out;
  int64_t kernel_height, kernel_width;
  int64_t stride_height, stride_width;
  int64_t padding_height, padding_width;

  Correlation forward() const;
  /// Of the parts stride_height * stride_width.
  Correlation data_gradient(int64_t part) const;
};

/// Filters (out, in, kernel height, kernel width) as a correlation reads them: rounded, and in the order of its product.
struct GemmFilters {
  Correlation correlation;
  const float* weights;
  int64_t kernel_height, kernel_width;
  bool data_gradient;  // the correlation's depth are the layer's output channels
  uint32_t* packed;    // filter_words(correlation)
};

template <class T>
struct GemmConvolution {
  Correlation correlation;
  int64_t threads;
  const T* x;
  const uint32_t* filters;
  const float* bias;  // (out channels) or null
  T* y;
  uint32_t* scratch;
};

template <class T>
struct GemmWeightGradient {
  GemmShape shape;
  int64_t threads;
  const T* x;
  const T* dy;
  float* gradient;  // (out, in, kernel height, kernel width)
  bool accumulate;  // add to the gradient
  uint32_t* scratch;
};

/// Memory is counted in words of 32 bits.
template <class T>
struct GemmKernels {
  int64_t (*filter_words)(const Correlation& correlation);
  void (*filters)(const GemmFilters& job);
  int64_t (*convolution_scratch)(const Correlation& correlation, int64_t threads);
  /// The same bits whatever the number of threads.
  void (*convolution)(const GemmConvolution<T>& job);
  int64_t (*weight_gradient_scratch)(const GemmShape& shape, int64_t threads);
  /// The same bits whatever the number of threads.
  void (*weight_gradient)(const GemmWeightGradient<T>& job);
};

}  // namespace dl::cpu
