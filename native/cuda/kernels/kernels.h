#pragma once

#include <driver_types.h>

#include <cstdint>

#include "cuda/kernels/arithmetic/activation.h"
#include "cuda/kernels/arithmetic/element.h"
#include "cuda/kernels/arithmetic/normalization.h"
#include "cuda/kernels/arithmetic/row_tiling.h"
#include "cuda/kernels/arithmetic/window.h"
#include "engine/step_rule.h"

/// The own kernels of a training step: launchers in plain C++, one a kernel or a fixed short sequence of kernels.
///
/// Every launcher only enqueues on `launch.stream`: no allocation, no synchronisation, so that it may be captured in a CUDA
/// graph. It returns what the launch itself said: what libraries leave in cudaGetLastError() is none of its. All pointers are
/// device pointers unless it is said otherwise; the jobs themselves are read on the host during the call. Values that change from
/// step to step are read from StepInputs on the device, so that they need no new capture.
///
/// Activations are NHWC: (rows, channels) with rows = images * height * width, without padding. T is float or Bfloat16;
/// arithmetic and sums are float32. Pointers to T want an alignment of 16 bytes (kAlignment); where channels (or, for layers that
/// treat each value by itself, the size) are no multiple of 8, slower kernels without vector accesses run, with the same results.
///
/// Sums have a fixed order that depends on the shape and on launch.multiprocessors alone: results repeat bit by bit on the same
/// device. There are no floating-point atomics.
///
/// Where a formula names a NaN, it passes through: a diverged step must be seen.
namespace dl::cuda {

constexpr int64_t kAlignment = 16;

/// Where and for what device a kernel is launched.
struct Launch {
  cudaStream_t stream = nullptr;
  int multiprocessors = 1;  // cudaDevAttrMultiProcessorCount
  /// Programmatic dependent launch: the kernel's blocks may come onto the device while the kernel before it ends. The results are
  /// the same. Compute capability 9.0 or newer.
  bool overlap = false;
};

/// Scratch of a reduction. Kernels that may run at the same time (parallel branches of a graph) want scratch of their own; else
/// one, of the greatest size, serves all.
struct ReductionScratch {
  void* partial = nullptr;       // 16-byte aligned, ReductionSize::partial_bytes; contents do not matter
  uint32_t* counters = nullptr;  // ReductionSize::counters; zero before the first use, each kernel leaves them zero
};
struct ReductionSize {
  int64_t partial_bytes = 0;
  int64_t counters = 0;
};
/// For batch_statistics, normalization_reduce and bias_gradient.
ReductionSize reduction_size(int64_t rows, int64_t channels, int multiprocessors);
/// For softmax_loss.
ReductionSize loss_reduction_size(int64_t images);
/// For update_norms.
ReductionSize norms_reduction_size(int64_t segments);

// ---- What a step is told and what it tells ------------------------------------------------------------------------------------

/// Written by the host before each sub-batch (one small copy from pinned memory, a node of the graph).
struct StepInputs {
  StepRule rule = {};
  double momentum = 0;
  double adam_beta1 = 0;
  double adam_beta2 = 0;
  double adam_epsilon = 0;
  uint64_t seed = 0;          // of the model: dropout
  uint64_t step = 0;          // steps applied before this one
  int64_t images_before = 0;  // of the same step, before this sub-batch
  int32_t accumulate = 0;     // 0 in the step's first sub-batch: sums begin anew; else 1
};

/// Written by softmax_loss and update_norms; the host copies it back, the update kernels read it.
struct StepReport {
  StepSums sums = {};
  StepVerdict verdict = {};
};

// ---- Input --------------------------------------------------------------------------------------------------------------------

/// Pixels (images, height, width, channels) to y (images, height, width, padded_channels):
///   y[c] = (g - 127) * scale[c] + shift[c] for uint8 g,   y[c] = v * scale[c] + shift[c] for float32 v,   0 for channels <= c.
/// padded_channels is at most 8 and at least channels, else cudaErrorInvalidValue.
template <class T>
struct PixelConversion {
  int64_t pixels = 0;  // images * height * width
  int channels = 0;
  int padded_channels = 0;
  const void* values = nullptr;  // uint8_t or float
  const float* scale = nullptr;  // (channels)
  const float* shift = nullptr;  // (channels)
  T* y = nullptr;
};
template <class T>
[[nodiscard]] cudaError_t convert_uint8(const Launch& launch, const PixelConversion<T>& job);
template <class T>
[[nodiscard]] cudaError_t convert_float(const Launch& launch, const PixelConversion<T>& job);

/// first_fault becomes the index of the first of `size` values that does not lie in lowest..highest (NaN does not), or size.
[[nodiscard]] cudaError_t find_pixel_fault(const Launch& launch, const float* values, int64_t size, float lowest, float highest,
                                           uint64_t* first_fault);

// ---- Batch norm ---------------------------------------------------------------------------------------------------------------

/// Mean and biased variance over the rows of x, what follows from them for the forward pass, and the running statistics moved
/// towards them:   r <- (1 - momentum) * r + momentum * batch's,   the variance times rows / (rows - 1).
/// Mean and variance of pieces are joined by Chan's formula: nothing cancels, whatever the mean. One kernel.
template <class T>
struct BatchStatistics {
  int64_t rows = 0;
  int64_t channels = 0;
  double epsilon = 0;
  double momentum = 0;
  const T* x = nullptr;
  const float* weight = nullptr;      // (channels)
  const float* bias = nullptr;        // (channels)
  float* running_mean = nullptr;      // (channels), changed: point it at what becomes the statistics if the step is applied
  float* running_variance = nullptr;  // (channels), changed
  NormalizationSaved saved = {};      // result
  ReductionScratch scratch = {};
};
template <class T>
[[nodiscard]] cudaError_t batch_statistics(const Launch& launch, const BatchStatistics<T>& job);

/// The same from stored statistics, for a frozen layer or for applying. They change only with the values: once after each change
/// is enough for applying.
struct StoredStatistics {
  int64_t channels = 0;
  double epsilon = 0;
  const float* weight = nullptr;
  const float* bias = nullptr;
  const float* mean = nullptr;
  const float* variance = nullptr;
  NormalizationSaved saved = {};  // result
};
[[nodiscard]] cudaError_t stored_statistics(const Launch& launch, const StoredStatistics& job);

/// y = activation(x * scale + shift (+ residual)). With scale null: 1, so that a bias with or without ReLU is added by it, too.
template <class T>
struct NormalizationForward {
  int64_t rows = 0;
  int64_t channels = 0;
  const T* x = nullptr;
  const T* residual = nullptr;   // or null
  T* y = nullptr;                // may be x or residual
  const float* scale = nullptr;  // (channels), or null: all 1
  const float* shift = nullptr;  // (channels)
  Activation activation = {};
  /// What the activation let pass, for the backward pass of a layer with a residual; else null. Bit c % 8 of byte row *
  /// mask_bytes (channels) + c / 8 is 1 where 0 < y < upper, y as it is stored.
  uint8_t* mask = nullptr;
};
template <class T>
[[nodiscard]] cudaError_t normalization_forward(const Launch& launch, const NormalizationForward<T>& job);

/// First half of the backward pass. dz = dy (+ dy2) where the activation let the value pass, else 0; then
///   dbias = sum dz,   dweight = sum dz * (x - mean) * inverse_deviation,
/// and what the second half needs: slope = -scale * inverse_deviation * dweight / rows, offset = -scale * dbias / rows - slope *
/// mean. For batch statistics; layers with stored ones need no sums, only their second half. One kernel.
template <class T>
struct NormalizationReduce {
  int64_t rows = 0;
  int64_t channels = 0;
  const T* dy = nullptr;
  const T* dy2 = nullptr;  // a second contribution to dy, or null
  const T* x = nullptr;    // input of the batch norm
  /// Of the forward pass, where there was a residual and an activation. Null: without an activation everything passed, with one
  /// x * scale + shift tells what did.
  const uint8_t* mask = nullptr;
  T* dz = nullptr;  // the gradient of the residual, or null where nobody needs it; may be dy or dy2
  NormalizationSaved saved = {};
  Activation activation = {};
  float* weight_gradient = nullptr;  // (channels), result
  float* bias_gradient = nullptr;    // (channels), result
  float* slope = nullptr;            // (channels), result
  float* offset = nullptr;           // (channels), result
  ReductionScratch scratch = {};
};
template <class T>
[[nodiscard]] cudaError_t normalization_reduce(const Launch& launch, const NormalizationReduce<T>& job);

/// Second half: dx = scale * dz + slope * x + offset. With stored statistics dx = scale * dz: slope and offset null.
template <class T>
struct NormalizationBackward {
  int64_t rows = 0;
  int64_t channels = 0;
  const T* dy = nullptr;          // dz itself, with an activation that is not present, where the first half stored it
  const T* dy2 = nullptr;         // or null
  const T* x = nullptr;           // null only where neither slope nor the activation needs it
  const uint8_t* mask = nullptr;  // as in the first half
  T* dx = nullptr;                // null: dz alone is wanted; may be x, dy or dy2
  T* dz = nullptr;  // for stored statistics with a residual: dz is written, too; else null; may be dy or dy2, not dx
  const float* scale = nullptr;
  const float* shift = nullptr;   // read where the activation is present and the mask is null
  const float* slope = nullptr;   // or null
  const float* offset = nullptr;  // or null
  Activation activation = {};
};
template <class T>
[[nodiscard]] cudaError_t normalization_backward(const Launch& launch, const NormalizationBackward<T>& job);

// ---- Layers that treat each value by itself -----------------------------------------------------------------------------------

/// y = min(max(x, 0), upper); y may be x.
template <class T>
[[nodiscard]] cudaError_t relu_forward(const Launch& launch, int64_t size, const T* x, float upper, T* y);
/// dx = dy (+ dy2) where 0 < y < upper (as stored), else 0. dy2 may be null; dx may be dy, dy2 or y.
template <class T>
[[nodiscard]] cudaError_t relu_backward(const Launch& launch, int64_t size, const T* dy, const T* dy2, const T* y, float upper,
                                        T* dx);
/// y = a + b; y may be a or b.
template <class T>
[[nodiscard]] cudaError_t add(const Launch& launch, int64_t size, const T* a, const T* b, T* y);
/// y = x in the other type; for instance logits that a layer gave in bfloat16.
[[nodiscard]] cudaError_t cast(const Launch& launch, int64_t size, const Bfloat16* x, float* y);
[[nodiscard]] cudaError_t cast(const Launch& launch, int64_t size, const float* x, Bfloat16* y);

/// y = x / (1 - probability) where the mask keeps the value, else 0; backward the same with dy. The mask is that of
/// engine/random.h for seed, step and images_before of the inputs and `stream` = node index. `image_size` values an image.
template <class T>
struct DropoutMask {
  int64_t images = 0;
  int64_t image_size = 0;  // height * width * channels
  const T* x = nullptr;
  T* y = nullptr;  // may be x
  float probability = 0;
  uint32_t stream = 0;
  const StepInputs* inputs = nullptr;
};
template <class T>
[[nodiscard]] cudaError_t dropout(const Launch& launch, const DropoutMask<T>& job);

/// Copies part (rows, part_channels) to or from the channels of whole (rows, whole_channels) that begin at first_channel.
template <class T>
struct ConcatCopy {
  int64_t rows = 0;
  int64_t part_channels = 0;
  int64_t whole_channels = 0;
  int64_t first_channel = 0;
  T* part = nullptr;
  T* whole = nullptr;
  bool into_whole = true;
};
template <class T>
[[nodiscard]] cudaError_t concat_copy(const Launch& launch, const ConcatCopy<T>& job);

/// db[c] = sum over the rows of dy; one kernel.
template <class T>
[[nodiscard]] cudaError_t bias_gradient(const Launch& launch, int64_t rows, int64_t channels, const T* dy, float* db,
                                        const ReductionScratch& scratch);

// ---- Pooling ------------------------------------------------------------------------------------------------------------------

/// y = the window's maximum, the first of equal ones; NaN wins. `chosen` (size of y; null when applying): its position.
template <class T>
[[nodiscard]] cudaError_t max_pool_forward(const Launch& launch, const Window& window, const T* x, T* y, uint8_t* chosen);
/// dx = sum of dy (+ dy2) over the windows that chose the value. dy2 may be null.
template <class T>
[[nodiscard]] cudaError_t max_pool_backward(const Launch& launch, const Window& window, const T* dy, const T* dy2,
                                            const uint8_t* chosen, T* dx);
template <class T>
[[nodiscard]] cudaError_t average_pool_forward(const Launch& launch, const Window& window, const T* x, T* y);
template <class T>
[[nodiscard]] cudaError_t average_pool_backward(const Launch& launch, const Window& window, const T* dy, const T* dy2, T* dx);

/// y (images, channels) = mean of x (images, spatial, channels); Y is T, or float where it gives the logits.
template <class T, class Y>
[[nodiscard]] cudaError_t global_average_forward(const Launch& launch, int64_t images, int64_t spatial, int64_t channels,
                                                 const T* x, Y* y);
/// dx = dy / spatial
template <class T>
[[nodiscard]] cudaError_t global_average_backward(const Launch& launch, int64_t images, int64_t spatial, int64_t channels,
                                                  const T* dy, T* dx);

// ---- Loss ---------------------------------------------------------------------------------------------------------------------

/// confidences[n, k] = exp(logits[n, k]) / sum_j exp(logits[n, j]); (images, classes), float32.
[[nodiscard]] cudaError_t softmax(const Launch& launch, int64_t images, int64_t classes, const float* logits, float* confidences);

/// Multinomial logistic loss and its gradient: class weight of the label * (softmax - one-hot) * inputs->gradient_scale. The
/// loss and the errors of the images are written to `sum` (inputs->accumulate 0) or added to it. Float64 inside. One kernel.
template <class T>
struct SoftmaxLoss {
  int64_t images = 0;
  int64_t classes = 0;
  const float* logits = nullptr;          // (images, classes)
  const int32_t* labels = nullptr;        // (images), each a class
  const double* class_weights = nullptr;  // (classes), or null: all 1
  const StepInputs* inputs = nullptr;
  T* gradient = nullptr;  // (images, classes)
  StepReport* report = nullptr;
  ReductionScratch scratch = {};
};
template <class T>
[[nodiscard]] cudaError_t softmax_loss(const Launch& launch, const SoftmaxLoss<T>& job);

// ---- Parameters ---------------------------------------------------------------------------------------------------------------
//
// The device keeps parameters, gradients and the solver's state as flat float32 arrays with the offsets of engine/parameters.h.
// Inside a tensor the order is the device's: filters are KRSC (out, height, width, in), and the weights of a fully connected
// layer behind an activation of more than one pixel are (out, height, width, channels), so that cuDNN and cuBLASLt take weights
// and give gradients where they lie, and an update is one pass. permute_filters translates when tensors are restored or read.
// Bfloat16 copies, where the precision wants them, are one more flat array with the same offsets, written by the update itself.

/// (filters, channels, positions) to (filters, positions, channels), or back; target is not source. Positions = height * width.
[[nodiscard]] cudaError_t permute_filters(const Launch& launch, int64_t filters, int64_t channels, int64_t positions,
                                          const float* source, float* target, bool to_device_order);
/// source (rows, channels) to target (rows, padded_channels), 0 behind channels: the filters of a convolution with padded input.
template <class T>
[[nodiscard]] cudaError_t pad_channels(const Launch& launch, int64_t rows, int64_t channels, int64_t padded_channels,
                                       const float* source, T* target);
/// Back: the padding is dropped.
[[nodiscard]] cudaError_t unpad_channels(const Launch& launch, int64_t rows, int64_t channels, int64_t padded_channels,
                                         const float* source, float* target);
/// target = source (inputs->accumulate 0) or target + source: the gradients of the sub-batches of a step.
[[nodiscard]] cudaError_t accumulate(const Launch& launch, int64_t size, const float* source, float* target,
                                     const StepInputs* inputs);

/// A piece of one tensor, in device memory; the offset is a multiple of 4. At most kSegmentValues long.
struct ParameterSegment {
  int64_t offset = 0;
  int32_t length = 0;
  int32_t tensor = 0;       // index in Graph::tensors()
  int32_t regularized = 0;  // weight prior and weight decay apply
  int32_t frozen = 0;       // has no gradient and is not updated
};
constexpr int32_t kSegmentValues = 8192;

/// Norms of gradients and weights, which become report->sums', then report->verdict by engine/step_rule.h. One kernel.
struct UpdateNorms {
  int64_t segments = 0;
  const ParameterSegment* segment = nullptr;
  const float* gradients = nullptr;
  const float* values = nullptr;
  const StepInputs* inputs = nullptr;
  StepReport* report = nullptr;
  ReductionScratch scratch = {};
  const float* statistics = nullptr;  // the running ones that the step leaves
  int64_t statistics_size = 0;
};
[[nodiscard]] cudaError_t update_norms(const Launch& launch, const UpdateNorms& job);

/// SGD with momentum; nothing where the verdict is not sound. keep = 1 - learning_rate * weight_decay and the prior are 1 and 0
/// for values that are not regularised:
///   v = momentum * v - learning_rate * gradient_scale * (g + weight_prior * w);   w = keep * w + v
struct SgdUpdate {
  int64_t segments = 0;
  const ParameterSegment* segment = nullptr;
  const StepInputs* inputs = nullptr;
  const StepReport* report = nullptr;
  const float* gradients = nullptr;
  float* values = nullptr;
  float* velocities = nullptr;
  Bfloat16* copies = nullptr;  // of the values, or null
};
[[nodiscard]] cudaError_t sgd_update(const Launch& launch, const SgdUpdate& job);

/// Adam, nothing where the verdict is not sound:
///   g = gradient_scale * (g + weight_prior * w);   m = m + (1 - beta1) * (g - m);   v = v + (1 - beta2) * (g * g - v)
///   w = keep * w - step[t] * m / (sqrt(v) * root[t] + epsilon)
struct AdamUpdate {
  int64_t segments = 0;
  const ParameterSegment* segment = nullptr;
  const StepInputs* inputs = nullptr;
  const StepReport* report = nullptr;
  const float* gradients = nullptr;
  float* values = nullptr;
  float* first_moments = nullptr;
  float* second_moments = nullptr;
  const float* step =
      nullptr;  // by tensor: learning rate / (1 - beta1^t), t with this update; written by the host before the step
  const float* root = nullptr;  // by tensor: 1 / sqrt(1 - beta2^t)
  Bfloat16* copies = nullptr;   // of the values, or null
};
[[nodiscard]] cudaError_t adam_update(const Launch& launch, const AdamUpdate& job);

/// target = source where the verdict is sound: the running statistics of an applied step.
[[nodiscard]] cudaError_t commit_statistics(const Launch& launch, int64_t size, const float* source, float* target,
                                            const StepReport* report);

}  // namespace dl::cuda
