#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>

#include "cpu/kernels/bfloat16.h"
#include "cpu/kernels/depthwise.h"
#include "cpu/kernels/fully_connected.h"
#include "cpu/kernels/output_stage.h"
#include "cpu/kernels/tap_product.h"
#include "cpu/kernels/winograd.h"
#include "cpu/layout.h"

namespace dl::cpu {

/// A batch norm's forward pass once its statistics are known: y = activation(x * scale + shift (+ residual)).
template <class T>
struct NormalizationForward {
  Layout layout;
  const T* x;
  const T* residual;   // or null
  T* y;                // may be x
  const float* scale;  // (padded channels)
  const float* shift;  // (padded channels)
  Activation activation;
};

/// First half of a batch norm's backward pass: dz = dy where the activation let the value pass, else 0.
template <class T>
struct NormalizationReduce {
  Layout layout;
  const T* dy;
  const T* dy2;        // a second contribution to dy, or null
  const T* x;          // input of the batch norm
  const T* y;          // output after residual and activation; null where there is no residual: then x tells what passed
  T* dz;               // null where nobody needs it; may be dy
  const float* mean;   // (padded channels)
  const float* scale;  // (padded channels), as in the forward pass
  const float* shift;  // (padded channels)
  Activation activation;
  double* sum_dz;           // (padded channels), result
  double* sum_dz_centered;  // (padded channels), result: sum of dz * (x - mean)
  double* partial;          // scratch of reduction_items(layout) * 2 * padded channels
};

/// Second half: dx = a * dz + b * (x - mean) + c per channel.
template <class T>
struct NormalizationBackward {
  Layout layout;
  const T* dy;   // dz itself where the first half stored it
  const T* dy2;  // or null
  const T* x;
  T* dx;  // may be x or dy
  const float* mean;
  const float* scale;
  const float* shift;
  Activation activation;  // not present where dy is dz already
  const float* a;         // (padded channels)
  const float* b;
  const float* c;
};

/// Sum of dy over images and space.
template <class T>
struct BiasGradient {
  Layout layout;
  const T* dy;
  double* partial;  // scratch of reduction_items(layout) * padded channels
  float* gradient;  // (channels)
  bool accumulate;  // add to the gradient
};

/// A pooling window.
struct Window {
  int64_t kernel_height, kernel_width;
  int64_t stride_height, stride_width;
  int64_t padding_height, padding_width;
  bool count_include_pad;
};

/// Softmax, multinomial logistic loss and gradient of a batch.
template <class T>
struct SoftmaxLoss {
  int64_t images;
  int64_t classes;
  const float* logits;          // (images, classes)
  const int32_t* labels;        // (images)
  const double* class_weights;  // (classes), or null: all 1
  double gradient_scale;        // 1 / images of the whole step
  T* gradient;                  // (images, classes): class weight of the label * (softmax - one-hot) * gradient_scale
  double loss = 0;              // result: sum over the images of -class weight of the label * log softmax[label]
  int64_t errors = 0;           // result: images whose best class is not the label
};

/// A piece of the parameters that is treated alike.
struct ParameterSegment {
  int64_t offset;
  int64_t length;
  int tensor;        // index in Graph::tensors()
  bool regularized;  // weight prior and weight decay apply
  bool frozen;       // has no gradient and is not updated
};

struct UpdateNorms {
  double squared_gradient_norm = 0;  // of dL/dw, weight prior included
  double squared_weight_norm = 0;    // of the regularised weights
};

/// SGD with momentum; keep is 1 for values that are not regularised, and so is the prior 0:
///   v = momentum * v - learning_rate * (g + weight_prior * w);   w = keep * w + v
struct SgdUpdate {
  const float* gradients;
  float* values;
  float* velocities;
  float learning_rate;  // times what clipping leaves of the gradient
  float momentum;
  float weight_prior;
  float keep;  // 1 - learning rate * weight decay
};

/// Adam, with t updates of a tensor, this one included:
///   g = gradient_scale * (g + weight_prior * w);   m = m + (1 - beta1) * (g - m);   v = v + (1 - beta2) * (g * g - v)
///   w = keep * w - step[t] * m / (sqrt(v) * root[t] + epsilon)
struct AdamUpdate {
  const float* gradients;
  float* values;
  float* first_moments;
  float* second_moments;
  std::span<const float> step;  // by tensor: learning rate / (1 - beta1^t)
  std::span<const float> root;  // by tensor: 1 / sqrt(1 - beta2^t)
  float gradient_scale;         // what clipping leaves of the gradient
  float one_minus_beta1;
  float one_minus_beta2;
  float epsilon;
  float weight_prior;
  float keep;  // 1 - learning rate * weight decay
};

/// The kernels of one precision.
template <class T>
struct TypedKernels {
  /// Pixels (height, width, channels) of each image to an activation: (g - 127) * scale + shift, channel by channel.
  void (*convert_uint8)(const std::byte* const* images, const Layout& layout, const float* scale, const float* shift, T* y);
  void (*convert_float)(const std::byte* const* images, const Layout& layout, const float* scale, const float* shift, T* y);

  /// Mean and biased variance per channel over images and space, (padded channels) each. `partial`: reduction_items(layout) * 2 *
  /// padded channels.
  void (*statistics)(const T* x, const Layout& layout, double* partial, double* mean, double* variance);
  void (*normalization_forward)(const NormalizationForward<T>& job);
  void (*normalization_reduce)(const NormalizationReduce<T>& job);
  void (*normalization_backward)(const NormalizationBackward<T>& job);

  void (*bias_gradient)(const BiasGradient<T>& job);

  void (*relu_forward)(int64_t size, const T* x, float upper, T* y);
  /// dx = dy where 0 < y < upper, else 0.
  void (*relu_backward)(int64_t size, const T* dy, const T* y, float upper, T* dx);
  /// y = a + b; y may be a.
  void (*add)(int64_t size, const T* a, const T* b, T* y);
  /// Copies the channels of `from` to or from the channels of `whole` that begin at `first_channel`.
  void (*concat_copy)(const Layout& part, T* part_values, const Layout& whole, T* whole_values, int64_t first_channel,
                      bool into_whole);
  /// y = x / (1 - probability) where the mask keeps it, else 0; the mask is that of engine/random.h with `stream` = node index.
  void (*dropout)(const Layout& layout, const T* x, T* y, float probability, uint64_t seed, uint32_t stream, uint64_t step,
                  int64_t images_before);

  /// `chosen` (size of y; null when applying): position of the maximum in the window.
  void (*max_pool_forward)(const Layout& in, const Layout& out, const Window& window, const T* x, T* y, uint8_t* chosen);
  void (*max_pool_backward)(const Layout& in, const Layout& out, const Window& window, const T* dy, const uint8_t* chosen, T* dx);
  void (*average_pool_forward)(const Layout& in, const Layout& out, const Window& window, const T* x, T* y);
  void (*average_pool_backward)(const Layout& in, const Layout& out, const Window& window, const T* dy, T* dx);
  /// y (images, channels), rows without padding.
  void (*global_average_forward)(const Layout& in, const T* x, T* y);
  void (*global_average_forward_float)(const Layout& in, const T* x, float* y);
  void (*global_average_backward)(const Layout& in, const T* dy, T* dx);

  void (*softmax_loss)(SoftmaxLoss<T>& job);
};

/// The kernels of one instruction set.
struct KernelTable {
  const char* instruction_set;
  TypedKernels<float> float32;
  TypedKernels<Bfloat16> bfloat16;

  void (*softmax)(int64_t images, int64_t classes, const float* logits, float* confidences);
  /// `partial`: 2 * segments.
  UpdateNorms (*update_norms)(std::span<const ParameterSegment> segments, const float* gradients, const float* values,
                              float weight_prior, double* partial);
  void (*sgd_update)(std::span<const ParameterSegment> segments, const SgdUpdate& job);
  void (*adam_update)(std::span<const ParameterSegment> segments, const AdamUpdate& job);
  /// target += source.
  void (*accumulate)(int64_t size, const float* source, float* target);
  // Null where vectors are too short to make it pay, or others are quicker.
  const WinogradKernels<float>* winograd;
  const WinogradKernels<Bfloat16>* winograd_bfloat16;
  const WinogradKernels<Bfloat16>* winograd_5x5_bfloat16;
  const TapProductKernels<Bfloat16>* tap_product_bfloat16;
  const TapGradientKernels* grouped_tap_gradient;
  const TapProductKernels<float>* tap_product;
  const FewChannelsKernels* few_channels;
  const DepthwiseKernels<float>* depthwise;
  const DepthwiseKernels<Bfloat16>* depthwise_bfloat16;
  const FullyConnectedKernels* fully_connected;

  template <class T>
  const TypedKernels<T>& typed() const;
  /// For filters of taps x taps.
  template <class T>
  const WinogradKernels<T>* typed_winograd(int64_t taps) const {
    if constexpr (std::is_same_v<T, float>)
      return taps == 3 ? winograd : nullptr;
    else
      return taps == 3 ? winograd_bfloat16 : taps == 5 ? winograd_5x5_bfloat16 : nullptr;
  }
  template <class T>
  const DepthwiseKernels<T>* typed_depthwise() const {
    if constexpr (std::is_same_v<T, float>)
      return depthwise;
    else
      return depthwise_bfloat16;
  }
  template <class T>
  const TapProductKernels<T>* typed_tap_product() const {
    if constexpr (std::is_same_v<T, float>)
      return tap_product;
    else
      return tap_product_bfloat16;
  }
};

template <>
inline const TypedKernels<float>& KernelTable::typed<float>() const {
  return float32;
}
template <>
inline const TypedKernels<Bfloat16>& KernelTable::typed<Bfloat16>() const {
  return bfloat16;
}

/// Pieces into which a reduction over images and space is cut; fixed by the layout alone, so that results do not depend on the
/// number of threads.
int64_t reduction_items(const Layout& layout);
/// Rows (positions in space) of one piece.
int64_t reduction_rows(const Layout& layout);

/// The kernels for the best instruction set that this processor has.
const KernelTable& kernels();

}  // namespace dl::cpu
