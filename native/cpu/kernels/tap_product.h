#pragma once

#include <cstdint>
#include <span>

#include "cpu/kernels/output_stage.h"
#include "cpu/layout.h"

/// Convolutions in float32 as products of matrices, activations in NHWC. The columns of the usual matrix are not copied together:
/// each row of a product reads, tap after tap, the pixels that the filter covers.
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

/// y from the sum over taps of x(tap) * filters(tap).
struct TapProduct {
  TapGrid grid;
  std::span<const Tap> taps;
  int64_t threads;
  const float* x;
  const float* filters;  // as TapFilters packs them
  OutputStage stage;
  float* y;
  float* scratch;
};

/// Filters of some taps, packed as a product reads them.
struct TapFilters {
  int64_t columns;                // channels of the product's output: the layer's out, or in for its data gradient
  int64_t depth;                  // channels of its input
  int64_t taps_in_all;            // kernel height * width
  std::span<const int64_t> taps;  // index of each in the filter
  const float* weights;           // (out, in, kernel height, kernel width)
  bool data_gradient;             // columns are the layer's inputs
  float* packed;
};

/// dW(out, in, tap) = sum over the grid of dy(out) * x(in at tap).
struct TapWeightGradient {
  TapGrid grid;  // of the forward pass
  std::span<const Tap> taps;
  int64_t threads;
  const float* x;
  const float* dy;
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

struct TapProductKernels {
  int64_t (*filter_values)(int64_t columns, int64_t depth, int64_t taps);
  void (*filters)(const TapFilters& job);
  /// Values of scratch memory.
  int64_t (*product_scratch)(const TapGrid& grid, int64_t taps, int64_t threads);
  void (*product)(const TapProduct& job);
  int64_t (*weight_gradient_scratch)(const TapGrid& grid, int64_t taps, int64_t threads);
  /// The same sums in the same order whatever the number of threads.
  void (*weight_gradient)(const TapWeightGradient& job);
  int64_t (*few_channels_scratch)(const FewChannelsGradient& job);
  void (*few_channels_gradient)(const FewChannelsGradient& job);
};

}  // namespace dl::cpu
