#pragma once

#include <cstdint>
#include <span>

#include "cpu/kernels/bfloat16.h"
#include "cpu/kernels/output_stage.h"
#include "cpu/layout.h"

/// Convolutions as products of matrices, activations in NHWC. The columns of the usual matrix are not copied together: each row
/// of a product reads, tap after tap, the pixels that the filter covers.
namespace dl::cpu {

/// Where a tap of a filter reads: grid position * step + this.
struct Tap {
  int64_t y, x;
};

/// Positions of every image at which a product is computed: output (first + i * out_step), from inputs (i * in_step + tap), zeros
/// outside.
struct TapGrid {
  Layout in;
  Layout out;
  int64_t height, width;
  int64_t in_step_y, in_step_x;
  int64_t out_step_y, out_step_x;
  int64_t out_first_y, out_first_x;

  int64_t rows() const { return out.images * height * width; }
};

/// y from the sum over taps of x(tap) * filters(tap). Taps come line by line, from left to right.
template <class T>
struct TapProduct {
  TapGrid grid;
  std::span<const Tap> taps;
  int64_t threads;
  const T* x;
  const T* filters;  // as TapFilters packs them
  OutputStage stage;
  T* y;
  float* scratch;
};

/// Filters of some taps, packed as a product reads them.
template <class T>
struct TapFilters {
  int64_t columns;                       // channels of the product's output: the layer's out, or in for its data gradient
  int64_t depth;                         // channels of its input
  int64_t taps_in_all;                   // kernel height * width
  std::span<const Tap> taps;             // of the product
  std::span<const int64_t> filter_taps;  // index of each in the filter
  const float* weights;                  // (out, in, kernel height, kernel width)
  bool data_gradient;                    // columns are the layer's inputs
  T* packed;
};

/// dW(out, in, tap) = sum over the grid of dy(out) * x(in at tap).
template <class T>
struct TapWeightGradient {
  TapGrid grid;  // of the forward pass
  std::span<const Tap> taps;
  int64_t threads;
  const T* x;
  const T* dy;
  float* gradient;  // (out, in, taps)
  bool accumulate;  // add to the gradient
  float* scratch;
};

/// The same of an input of so few channels that the taps of a row are better read at once.
struct FewChannelsGradient {
  Layout in;
  Layout out;
  int64_t kernel_height, kernel_width;
  int64_t stride_height, stride_width;
  int64_t padding_height, padding_width;
  int64_t threads;
  const float* x;
  const float* dy;
  float* gradient;  // (out, in, kernel height, kernel width)
  bool accumulate;  // add to the gradient
  float* scratch;
};

/// Scratch memory is counted in values of float32.
template <class T>
struct TapProductKernels {
  int64_t (*filter_values)(const TapGrid& grid, std::span<const Tap> taps);
  void (*filters)(const TapFilters<T>& job);
  int64_t (*product_scratch)(const TapGrid& grid, std::span<const Tap> taps, int64_t threads);
  void (*product)(const TapProduct<T>& job);
  int64_t (*weight_gradient_scratch)(const TapGrid& grid, std::span<const Tap> taps, int64_t threads);
  /// The same sums in the same order whatever the number of threads.
  void (*weight_gradient)(const TapWeightGradient<T>& job);
};

/// Weight gradients in bfloat16 of activations in groups of 16 channels.
struct TapGradientKernels {
  int64_t (*scratch)(const TapGrid& grid, std::span<const Tap> taps, int64_t threads);
  /// The same sums in the same order whatever the number of threads.
  void (*gradient)(const TapWeightGradient<Bfloat16>& job);
};

struct FewChannelsKernels {
  int64_t (*scratch)(const FewChannelsGradient& job);
  void (*gradient)(const FewChannelsGradient& job);
};

}  // namespace dl::cpu
