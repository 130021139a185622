#pragma once

#include <cstdint>

#include "cpu/kernels/output_stage.h"
#include "cpu/layout.h"

/// Convolutions of stride 1 by Winograd's minimal filtering, F(2 x 2, 3 x 3) for activations in float32, F(4 x 4, 3 x 3) and
/// F(4 x 4, 5 x 5) for such in bfloat16; in float32 inside.
namespace dl::cpu {

struct WinogradShape {
  Layout in;
  Layout out;
  int64_t padding_height, padding_width;
  int64_t tile;  // outputs in each direction that are computed together

  int64_t tile_rows() const { return (out.height + tile - 1) / tile; }
  int64_t tile_columns() const { return (out.width + tile - 1) / tile; }
  /// In the batch.
  int64_t tiles() const { return out.images * tile_rows() * tile_columns(); }
};

/// Filters (out, in, taps, taps) as winograd_convolution reads them.
struct WinogradFilters {
  int64_t columns;       // channels of the convolution's output: the layer's out, or in for its data gradient
  int64_t depth;         // channels of its input
  const float* weights;  // of the layer
  bool data_gradient;    // turned by 180 degrees
  float* transformed;    // filter_values(columns, depth)
};

/// A convolution; the data gradient is one, too: of dy with padding taps - 1 - p and the filters for it.
template <class T>
struct WinogradConvolution {
  WinogradShape shape;
  int64_t threads;
  const T* x;
  const float* filters;
  OutputStage stage;
  T* y;
  float* scratch;
};

template <class T>
struct WinogradWeightGradient {
  WinogradShape shape;
  int64_t threads;
  const T* x;
  const T* dy;
  float* gradient;  // (out, in, taps, taps)
  bool accumulate;  // add to the gradient
  float* scratch;
};

/// Of activations of type T.
template <class T>
struct WinogradKernels {
  /// Of a filter, in each direction.
  int64_t taps;
  /// Of the shapes.
  int64_t tile;
  /// Channels, in and out, come in multiples of this.
  int64_t channels;

  int64_t (*filter_values)(int64_t columns, int64_t depth);
  void (*filters)(const WinogradFilters& job);
  /// Values of scratch memory.
  int64_t (*convolution_scratch)(const WinogradShape& shape, int64_t threads);
  void (*convolution)(const WinogradConvolution<T>& job);
  int64_t (*weight_gradient_scratch)(const WinogradShape& shape, int64_t threads);
  /// The same sums in the same order whatever the number of threads.
  void (*weight_gradient)(const WinogradWeightGradient<T>& job);
};

}  // namespace dl::cpu
