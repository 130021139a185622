#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "engine/graph.h"
#include "reference/philox.h"
#include "reference/tensor.h"

/// Every layer kind of engine/graph.h in float64, as its formula says and no cleverer: one kind a file. Forward takes x and gives
/// y; backward takes dL/dy and gives dL/dx and the gradients of the layer's tensors, all summed over the batch.
namespace dl::reference {

/// How many windows fit along one axis, counted one by one.
int64_t count_windows(int64_t input, int64_t kernel, int64_t stride, int64_t padding, bool ceil_mode);

Tensor input_forward(const Tensor& pixels, const Input& layer);

struct ConvolutionGradients {
  Tensor input;
  Values weight;  // (out_channels, in_channels / groups, kernel height, kernel width)
  Values bias;    // (out_channels), empty without bias
};
Tensor convolution_forward(const Tensor& x, const Values& weight, const Values& bias, const Convolution& layer);
ConvolutionGradients convolution_backward(const Tensor& x, const Values& weight, const Tensor& dy, const Convolution& layer);

struct BatchStatistics {
  Values mean;      // (C)
  Values variance;  // (C), biased
};
struct BatchNormGradients {
  Tensor input;
  Values weight;  // (C)
  Values bias;    // (C)
};
BatchStatistics batch_statistics(const Tensor& x);
Tensor batch_norm_forward(const Tensor& x, const BatchStatistics& statistics, const Values& weight, const Values& bias,
                          const BatchNorm& layer);
BatchNormGradients batch_norm_backward(const Tensor& x, const Values& weight, const Tensor& dy, const BatchNorm& layer);
/// dL/dx of a batch norm whose statistics do not depend on x.
Tensor batch_norm_backward_fixed(const BatchStatistics& statistics, const Values& weight, const Tensor& dy,
                                 const BatchNorm& layer);
/// Moves the running statistics towards those of a batch with `count` = N * H * W values a channel.
void move_running_statistics(const BatchStatistics& batch, int64_t count, const BatchNorm& layer, Values& running_mean,
                             Values& running_variance);

Tensor relu_forward(const Tensor& x, const Relu& layer);
Tensor relu_backward(const Tensor& x, const Tensor& dy, const Relu& layer);

Tensor add_forward(const Tensor& a, const Tensor& b);

Tensor concat_forward(const std::vector<const Tensor*>& inputs);
/// The slices of dy, in the order and with the channels of the inputs.
std::vector<Tensor> concat_backward(const std::vector<const Tensor*>& inputs, const Tensor& dy);

Tensor max_pool_forward(const Tensor& x, const Pool& layer);
Tensor max_pool_backward(const Tensor& x, const Tensor& dy, const Pool& layer);

Tensor average_pool_forward(const Tensor& x, const Pool& layer);
Tensor average_pool_backward(const Tensor& x, const Tensor& dy, const Pool& layer);

Tensor global_average_pool_forward(const Tensor& x);
Tensor global_average_pool_backward(const Tensor& x, const Tensor& dy);

/// Which mask: the model's seed, the layer's node index, the steps applied before, and how many images of the whole batch lie
/// before this sub-batch.
struct DropoutKey {
  uint64_t seed = 0;
  uint32_t node = 0;
  uint64_t step = 0;
  int64_t first_image = 0;
};
/// 0 where a value is dropped, 1 / (1 - probability) where it is kept; the shape is that of `x`.
Tensor dropout_mask(const Tensor& x, const Dropout& layer, const DropoutKey& key);
/// x * mask; backward is the same with dy.
Tensor dropout_apply(const Tensor& x, const Tensor& mask);

struct FullyConnectedGradients {
  Tensor input;
  Values weight;  // (out_features, C * H * W)
  Values bias;    // (out_features), empty without bias
};
Tensor fully_connected_forward(const Tensor& x, const Values& weight, const Values& bias, const FullyConnected& layer);
FullyConnectedGradients fully_connected_backward(const Tensor& x, const Values& weight, const Tensor& dy,
                                                 const FullyConnected& layer);

/// Confidences (N, classes, 1, 1).
Tensor softmax_forward(const Tensor& logits);
/// -sum_n c_label log f_label(x_n) of these images, c being the class weights, all 1 where there are none; not yet divided by
/// the images' number.
double negative_log_likelihood(const Tensor& logits, std::span<const int32_t> labels, std::span<const double> class_weights = {});
/// dL_mn/dlogits where the loss is the mean over `total_images`, of which these may be a part.
Tensor softmax_backward(const Tensor& logits, std::span<const int32_t> labels, int64_t total_images,
                        std::span<const double> class_weights = {});

}  // namespace dl::reference
