#include <omp.h>

#include <algorithm>
#include <optional>

#include "cpu/convolution_weights.h"
#include "cpu/gradient_sum.h"
#include "cpu/operations/linear_shape.h"
#include "cpu/operations/operations.h"

namespace dl::cpu {
namespace {

template <class T>
const WinogradKernels<T>* winograd_kernels(const LinearShape& shape) {
  return kernels().typed_winograd<T>(shape.weights[2]);
}

WinogradShape winograd_shape(const LinearShape& shape, int64_t tile) {
  return {shape.in, shape.out, shape.padding[0], shape.padding[1], tile};
}

/// A convolution of stride 1 by the own kernels of kernels/winograd.h:
///   y = W * x + bias,   dx = W^T * dy,   dW = dy * x^T,   dbias = sum of dy over images and space.
template <class T>
class WinogradConvolutionOperation final : public Operation {
 public:
  WinogradConvolutionOperation(PlanBuilder& builder, const FusedOperation& operation, const LinearShape& shape)
      : node_(operation.node),
        input_(builder.node(node_).inputs[0]),
        kernel_(*winograd_kernels<T>(shape)),
        shape_(winograd_shape(shape, kernel_.tile)),
        gradient_shape_{shape.out, shape.in, kernel_.taps - 1 - shape.padding[0], kernel_.taps - 1 - shape.padding[1],
                        kernel_.tile},
        threads_(omp_get_max_threads()),
        weights_(builder, operation),
        stage_{nullptr, shape.adds, shape.activation},
        weights_offset_(builder.parameter(node_, 0)) {
    if (shape.bias && builder.training()) bias_offset_ = builder.parameter(node_, 1);
    x_ = builder.read_value(input_).buffer;
    if (!builder.frozen(node_)) builder.keep_for_backward(x_);
    y_ = builder.create_output(operation, shape.out, shape.out_type).buffer;
    filters_ = builder.arena().add_persistent(filter_bytes(shape_));
    scratch_ = builder.scratch(float_bytes(kernel_.convolution_scratch(shape_, threads_)));
  }

  void plan_backward(PlanBuilder& builder) override {
    gradient_.plan(builder, node_);
    if (!builder.frozen(node_)) {
      gradient_scratch_ = builder.scratch(float_bytes(kernel_.weight_gradient_scratch(shape_, threads_)));
      if (bias_offset_) {
        bias_scratch_ = builder.scratch(reduction_items(shape_.out) * shape_.out.channels * static_cast<int64_t>(sizeof(double)));
      }
    }
    if (!builder.wants_gradient(input_)) return;
    data_filters_ = builder.scratch(filter_bytes(gradient_shape_));
    data_scratch_ = builder.scratch(float_bytes(kernel_.convolution_scratch(gradient_shape_, threads_)));
    dx_ = builder.create_gradient(input_);
  }

  void bind(const Arena& arena) override {
    arena_ = arena;
    weights_.bind(arena);
  }

  void load_weights(const float* values) override {
    transform_filters(weights_.load(values), shape_, filters_, false);
    stage_.bias = weights_.bias();
  }

  void forward(SubBatch& /*batch*/) override {
    kernel_.convolution({.shape = shape_,
                         .threads = threads_,
                         .x = arena_.at<T>(x_),
                         .filters = arena_.at<float>(filters_),
                         .stage = stage_,
                         .y = arena_.at<T>(y_),
                         .scratch = arena_.at<float>(scratch_)});
  }

  void backward(SubBatch& batch) override {
    const T* dy = gradient_.compute(arena_);
    if (gradient_scratch_ >= 0) compute_weight_gradient(dy, batch);
    batch.weights_done();
    if (dx_ < 0) return;
    transform_filters(batch.values + weights_offset_, gradient_shape_, data_filters_, true);
    kernel_.convolution({.shape = gradient_shape_,
                         .threads = threads_,
                         .x = dy,
                         .filters = arena_.at<float>(data_filters_),
                         .stage = {},
                         .y = arena_.at<T>(dx_),
                         .scratch = arena_.at<float>(data_scratch_)});
  }

 private:
  int64_t filter_bytes(const WinogradShape& shape) const {
    return float_bytes(kernel_.filter_values(shape.out.channels, shape.in.channels));
  }

  void compute_weight_gradient(const T* dy, SubBatch& batch) const {
    kernel_.weight_gradient({.shape = shape_,
                             .threads = threads_,
                             .x = arena_.at<T>(x_),
                             .dy = dy,
                             .gradient = batch.gradients + weights_offset_,
                             .accumulate = batch.accumulate,
                             .scratch = arena_.at<float>(gradient_scratch_)});
    if (!bias_offset_) return;
    kernels().typed<T>().bias_gradient({.layout = shape_.out,
                                        .dy = dy,
                                        .partial = arena_.at<double>(bias_scratch_),
                                        .gradient = batch.gradients + *bias_offset_,
                                        .accumulate = batch.accumulate});
  }

  void transform_filters(const float* weights, const WinogradShape& shape, BufferId to, bool data_gradient) const {
    kernel_.filters({.columns = shape.out.channels,
                     .depth = shape.in.channels,
                     .weights = weights,
                     .data_gradient = data_gradient,
                     .transformed = arena_.at<float>(to)});
  }

  int node_;
  int input_;
  const WinogradKernels<T>& kernel_;
  WinogradShape shape_;
  WinogradShape gradient_shape_;
  int64_t threads_;
  ConvolutionWeights weights_;
  OutputStage stage_;
  int64_t weights_offset_;
  std::optional<int64_t> bias_offset_;  // of a bias to train
  BufferId x_ = -1;
  BufferId y_ = -1;
  BufferId dx_ = -1;
  BufferId filters_ = -1;
  BufferId scratch_ = -1;
  BufferId data_filters_ = -1;
  BufferId data_scratch_ = -1;
  BufferId gradient_scratch_ = -1;
  BufferId bias_scratch_ = -1;
  GradientSum<T> gradient_;
  Arena arena_;
};

template <class T>
bool applies(const LinearShape& shape) {
  if (!shape.is_convolution() || shape.weights.size() != 4 || shape.weights[2] != shape.weights[3]) return false;
  const WinogradKernels<T>* winograd = winograd_kernels<T>(shape);
  return winograd && shape.out_type == shape.in_type && shape.in.order != Order::kNchw &&
         shape.stride == dnnl::memory::dims{1, 1} && shape.padding[0] < winograd->taps && shape.padding[1] < winograd->taps &&
         shape.in.channels % winograd->channels == 0 && shape.out.channels % winograd->channels == 0;
}

/// Whether the products saved outweigh the transforms, as `npm run bench -- orders` measures both: with few channels each
/// transformed value takes part in few products, with fewer tiles than channels there is more of filters to transform than of
/// activations, and tiles of small images reach over the edge. In bfloat16 oneDNN's products are twice as quick.
bool pays(const WinogradShape& shape, int64_t taps, DataType type) {
  const int64_t size = shape.tile + taps - 1, channels = std::min(shape.in.channels, shape.out.channels);
  const double products = static_cast<double>(size * size * shape.tiles());
  const double defined = static_cast<double>(taps * taps * shape.out.images * shape.out.spatial());
  if (type == DataType::kFloat32) return channels >= 32 && products < 0.7 * defined;
  return channels >= 64 && shape.tiles() >= channels && products < 0.35 * defined;
}

template <class T>
std::unique_ptr<Operation> make(PlanBuilder& builder, const FusedOperation& operation, const LinearShape& shape) {
  if (!applies<T>(shape)) return nullptr;
  const WinogradKernels<T>& winograd = *winograd_kernels<T>(shape);
  if (!pays(winograd_shape(shape, winograd.tile), winograd.taps, shape.in_type)) return nullptr;
  return std::make_unique<WinogradConvolutionOperation<T>>(builder, operation, shape);
}

}  // namespace

std::unique_ptr<Operation> make_winograd_convolution(PlanBuilder& builder, const FusedOperation& operation) {
  const Value& x = builder.read_value(builder.node(operation.node).inputs[0]);
  const LinearShape shape = linear_shape(builder, operation, x.layout, x.type);
  return x.type == DataType::kFloat32 ? make<float>(builder, operation, shape) : make<Bfloat16>(builder, operation, shape);
}

}  // namespace dl::cpu
