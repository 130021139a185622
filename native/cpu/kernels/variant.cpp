// All kernels for one instruction set. Compiled once for each, with DL_KERNELS_VARIANT naming the namespace; nothing with
// external linkage but the table leaves this file, so that no code of one instruction set can stand in for another's.

#include <omp.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <span>
#include <type_traits>
#include <vector>
#if defined(__AVX512BF16__)
#include <immintrin.h>
#endif

#include "cpu/kernels/kernels.h"
#include "engine/random.h"

#define DL_STRING_OF(name) #name
#define DL_STRING(name) DL_STRING_OF(name)

namespace dl::cpu::DL_KERNELS_VARIANT {
namespace {

#include "cpu/kernels/rows.inl"
#include "cpu/kernels/vector.inl"
// The walks and vectors above come first: the kernels below use them.
#include "cpu/kernels/output_stage.inl"
#include "cpu/kernels/past_caches.inl"
// What follows uses the last stage, too.
#include "cpu/kernels/batch_norm.inl"
#include "cpu/kernels/bias_gradient.inl"
#include "cpu/kernels/dropout.inl"
#include "cpu/kernels/elementwise.inl"
#include "cpu/kernels/pixels.inl"
#include "cpu/kernels/pooling.inl"
#include "cpu/kernels/softmax.inl"
#include "cpu/kernels/update.inl"
#if defined(__AVX2__)
#include "cpu/kernels/matrix_product.inl"
#include "cpu/kernels/winograd_transforms.inl"
// Tiles and filters use the transforms, ...
#include "cpu/kernels/winograd_filters.inl"
#include "cpu/kernels/winograd_tiles.inl"
// ... and what follows all of them.
#include "cpu/kernels/winograd.inl"
#include "cpu/kernels/winograd_gradient.inl"
#endif
#if defined(__AVX512F__)
#include "cpu/kernels/tap_filters.inl"
#include "cpu/kernels/tap_gradient.inl"
#include "cpu/kernels/tap_product.inl"
// What follows uses the products before it.
#include "cpu/kernels/depthwise.inl"
#include "cpu/kernels/few_channels.inl"
#include "cpu/kernels/fully_connected.inl"
#endif
#if defined(__AVX512BF16__)
#include "cpu/kernels/pairs.inl"
// What multiplies pairs comes after them.
#include "cpu/kernels/gradient_square.inl"
#include "cpu/kernels/pair_gradient.inl"
#endif
#if defined(__AMX_BF16__)
#include "cpu/kernels/tiles/tiles.inl"
// Tiles are made of filters and images ...
#include "cpu/kernels/tiles/filters.inl"
#include "cpu/kernels/tiles/planes.inl"
// ... and multiplied.
#include "cpu/kernels/tiles/product.inl"
#include "cpu/kernels/tiles/weight_gradient.inl"
#endif

template <class T>
constexpr TypedKernels<T> typed_kernels() {
  return {
      .convert_uint8 = convert_uint8<T>,
      .convert_float = convert_float<T>,
      .statistics = statistics<T>,
      .normalization_forward = normalization_forward<T>,
      .normalization_reduce = normalization_reduce<T>,
      .normalization_backward = normalization_backward<T>,
      .bias_gradient = bias_gradient<T>,
      .relu_forward = relu_forward<T>,
      .relu_backward = relu_backward<T>,
      .add = add<T>,
      .concat_copy = concat_copy<T>,
      .dropout = dropout<T>,
      .max_pool_forward = max_pool_forward<T>,
      .max_pool_backward = max_pool_backward<T>,
      .average_pool_forward = average_pool_forward<T>,
      .average_pool_backward = average_pool_backward<T>,
      .global_average_forward = global_average_forward<T, T>,
      .global_average_forward_float = global_average_forward<T, float>,
      .global_average_backward = global_average_backward<T>,
      .softmax_loss = softmax_loss<T>,
  };
}

}  // namespace

extern const KernelTable kTable;
const KernelTable kTable = {
    .instruction_set = DL_STRING(DL_KERNELS_VARIANT),
    .float32 = typed_kernels<float>(),
    .bfloat16 = typed_kernels<Bfloat16>(),
    .softmax = softmax,
    .update_norms = update_norms,
    .sgd_update = sgd_update,
    .adam_update = adam_update,
    .accumulate = accumulate,
#if defined(__AVX2__)
    .winograd = &kWinograd<float, Filtering2x3>,
#else
    .winograd = nullptr,
#endif
#if defined(__AVX2__) && !defined(__AMX_BF16__)
    .winograd_bfloat16 = &kWinograd<Bfloat16, Filtering4x3>,
    .winograd_5x5_bfloat16 = &kWinograd<Bfloat16, Filtering4x5>,
#else
    .winograd_bfloat16 = nullptr,
    .winograd_5x5_bfloat16 = nullptr,
#endif
#if defined(__AMX_BF16__)
    .tap_product_bfloat16 = &kTileTapProduct,
#else
    .tap_product_bfloat16 = nullptr,
#endif
#if defined(__AVX512BF16__)
    .grouped_tap_gradient = &kPairGradient,
#else
    .grouped_tap_gradient = nullptr,
#endif
#if defined(__AVX512F__)
    .tap_product = &kTapProduct,
    .few_channels = &kFewChannels,
    .depthwise = &kDepthwise<float>,
    .depthwise_bfloat16 = &kDepthwise<Bfloat16>,
    .fully_connected = &kFullyConnected,
#else
    .tap_product = nullptr,
    .few_channels = nullptr,
    .depthwise = nullptr,
    .depthwise_bfloat16 = nullptr,
    .fully_connected = nullptr,
#endif
};

}  // namespace dl::cpu::DL_KERNELS_VARIANT
