#include <omp.h>

#include <algorithm>
#include <optional>
#include <type_traits>

#include "cpu/gradient_sum.h"
#include "cpu/operations/linear_shape.h"
#include "cpu/operations/operations.h"
#include "cpu/operations/tap_parts.h"
#include "cpu/weights.h"

namespace dl::cpu {
namespace {

/// A fully connected layer by oneDNN's primitives and by own kernels: forward in float32 by those of kernels/fully_connected.h,
/// the weight gradient in bfloat16 by tiles where the processor has them.
///   y = W * x + bias,   dx = W^T * dy,   dW = dy * x^T,   dbias = sum of dy over images.
/// Such layers hold most of a network's weights and use each but once an image: what costs is to move them. So weights are read,
/// and their gradient is written, where they lie; x is brought into the order of the weights instead.
template <class T>
class FullyConnectedLayer final : public Operation {
 public:
  FullyConnectedLayer(PlanBuilder& builder, const FusedOperation& operation)
      : node_(operation.node), input_(builder.node(node_).inputs[0]) {
    const Value& x = builder.read_value(input_);
    shape_ = linear_shape(builder, operation, x.layout, x.type);
    weights_offset_ = builder.parameter(node_, 0);
    if (shape_.bias) bias_offset_ = builder.parameter(node_, 1);
    const bool trained = builder.training() && !builder.frozen(node_);
    x_ = flat_x_ = x.buffer;
    if (flattens()) {
      flat_x_ = trained ? builder.saved(flat_bytes()) : builder.scratch(flat_bytes());
      flatten_ = BoundPrimitive(reorder_choice(spatial(), flat(), false), builder.arena(), builder.now());
    } else if (trained) {
      builder.keep_for_backward(x_);
    }
    y_ = builder.create_value(node_, shape_.out, shape_.out_type).buffer;

    if (shape_.in_type == DataType::kFloat32 && kernels().fully_connected) {
      own_forward_ = FullyConnectedForward{.images = shape_.in.images,
                                           .in = shape_.weights[1],
                                           .out = shape_.weights[0],
                                           .threads = omp_get_max_threads(),
                                           .x = nullptr,
                                           .weights = nullptr,
                                           .bias = nullptr,
                                           .y = nullptr,
                                           .scratch = nullptr};
      scratch_ = builder.scratch(float_bytes(kernels().fully_connected->scratch(*own_forward_)));
      return;
    }
    const PrimitiveChoice choice = forward_choice(shape_, builder.training());
    forward_ = BoundPrimitive(choice.descriptor, builder.arena(), builder.now());
    if (shape_.in_type == DataType::kFloat32) return;
    copies_ = WeightCopies(shape_.weights, !trained);
    copies_->add(builder, choice.weights);
  }

  void plan_backward(PlanBuilder& builder) override {
    gradient_.plan(builder, node_);
    if (!builder.frozen(node_) && tiles()) {
      own_gradient_ = forward_tap_part(as_convolution());
      gradient_scratch_ = builder.scratch(
          float_bytes(tiles()->weight_gradient_scratch(own_gradient_->grid, own_gradient_->taps, omp_get_max_threads())));
    } else if (!builder.frozen(node_)) {
      const PrimitiveChoice weights = backward_weights_choice(shape_);
      backward_weights_ = BoundPrimitive(weights.descriptor, builder.arena(), builder.now());
      added_weights_ = BoundPrimitive(added_weights_choice(shape_), builder.arena(), builder.now());
    }
    if (!builder.wants_gradient(input_)) return;
    backward_data_ = BoundPrimitive(backward_data_choice(shape_).descriptor, builder.arena(), builder.now());
    dx_ = flat_dx_ = builder.create_gradient(input_);
    if (!flattens()) return;
    flat_dx_ = builder.scratch(flat_bytes());
    unflatten_ = BoundPrimitive(reorder_choice(flat(), spatial(), false), builder.arena(), builder.now());
  }

  void bind(const Arena& arena) override {
    arena_ = arena;
    const auto x = flat_descriptor(shape_, shape_.in_type);
    if (copies_) copies_->bind(arena);
    if (flatten_) {
      flatten_.bind(*arena.plan, arena.memory);
      flatten_.argument(DNNL_ARG_FROM, spatial(), arena.at<T>(x_));
      flatten_.argument(DNNL_ARG_TO, flat(), arena.at<T>(flat_x_));
    }
    if (own_forward_) {
      own_forward_->x = arena.at<float>(flat_x_);
      own_forward_->y = arena.at<float>(y_);
      own_forward_->scratch = arena.at<float>(scratch_);
    } else {
      forward_.bind(*arena.plan, arena.memory);
      forward_.argument(DNNL_ARG_SRC, x, arena.at<T>(flat_x_));
      forward_.argument(DNNL_ARG_DST, output_descriptor(shape_, shape_.out_type), arena.at<std::byte>(y_));
    }
    const auto dy = output_descriptor(shape_, shape_.gradient_type);
    if (backward_weights_) {
      backward_weights_.bind(*arena.plan, arena.memory);
      backward_weights_.argument(DNNL_ARG_SRC, x, arena.at<T>(flat_x_));
      backward_weights_.argument(DNNL_ARG_DIFF_DST, dy, arena.at<T>(gradient_.buffer()));
      added_weights_.bind(*arena.plan, arena.memory);
      added_weights_.argument(DNNL_ARG_SRC, transposed_output_descriptor(shape_), arena.at<T>(gradient_.buffer()));
      added_weights_.argument(DNNL_ARG_WEIGHTS, x, arena.at<T>(flat_x_));
    }
    if (!backward_data_) return;
    backward_data_.bind(*arena.plan, arena.memory);
    backward_data_.argument(DNNL_ARG_DIFF_DST, dy, arena.at<T>(gradient_.buffer()));
    backward_data_.argument(DNNL_ARG_DIFF_SRC, x, arena.at<T>(flat_dx_));
    if (!unflatten_) return;
    unflatten_.bind(*arena.plan, arena.memory);
    unflatten_.argument(DNNL_ARG_FROM, flat(), arena.at<T>(flat_dx_));
    unflatten_.argument(DNNL_ARG_TO, spatial(), arena.at<T>(dx_));
  }

  void load_weights(const float* values) override {
    if (copies_ && copies_->stay()) copies_->load(values + weights_offset_);
    const void* weights = copies_ ? copies_->data(arena_, 0) : values + weights_offset_;
    const auto descriptor = plain_weights_descriptor(shape_.weights, shape_.in_type);
    if (backward_data_) backward_data_.argument(DNNL_ARG_WEIGHTS, descriptor, weights);
    if (own_forward_) {
      own_forward_->weights = values + weights_offset_;
      own_forward_->bias = shape_.bias ? values + bias_offset_ : nullptr;
      return;
    }
    forward_.argument(DNNL_ARG_WEIGHTS, descriptor, weights);
    if (shape_.bias) forward_.argument(DNNL_ARG_BIAS, bias_descriptor(shape_), values + bias_offset_);
  }

  void forward(SubBatch& batch) override {
    if (copies_ && !copies_->stay()) copies_->load(batch.values + weights_offset_);
    if (flatten_) flatten_.execute();
    own_forward_ ? kernels().fully_connected->forward(*own_forward_) : forward_.execute();
  }

  void backward(SubBatch& batch) override {
    gradient_.compute(arena_);
    if (backward_weights_ || own_gradient_) compute_weight_gradient(batch);
    batch.weights_done();
    if (backward_data_) backward_data_.execute();
    if (unflatten_) unflatten_.execute();
  }

 private:
  /// Whether the input has more than one pixel, so that the order of its values matters.
  bool flattens() const { return shape_.in.spatial() > 1; }
  int64_t flat_bytes() const { return shape_.in.images * shape_.weights[1] * static_cast<int64_t>(sizeof(T)); }
  dnnl::memory::desc spatial() const { return activation_descriptor(shape_.in, shape_.in_type); }
  dnnl::memory::desc flat() const {
    Layout layout = shape_.in;
    layout.order = Order::kNchw;
    return activation_descriptor(layout, shape_.in_type);
  }

  /// The kernels of the own weight gradient, if there are any.
  static const TapProductKernels<Bfloat16>* tiles() {
    return std::is_same_v<T, Bfloat16> ? kernels().tap_product_bfloat16 : nullptr;
  }

  /// Images of one pixel.
  LinearShape as_convolution() const {
    LinearShape shape = shape_;
    shape.in = {shape_.in.images, shape_.weights[1], 1, 1, Order::kNhwc};
    shape.out = {shape_.out.images, shape_.weights[0], 1, 1, Order::kNhwc};
    shape.weights = {shape_.weights[0], shape_.weights[1], 1, 1};
    shape.stride = {1, 1};
    shape.padding = {0, 0};
    return shape;
  }

  void compute_weight_gradient(SubBatch& batch) {
    float* weights = batch.gradients + weights_offset_;
    float* bias = shape_.bias ? batch.gradients + bias_offset_ : nullptr;
    if constexpr (std::is_same_v<T, Bfloat16>) {
      if (own_gradient_) {
        tiles()->weight_gradient({.grid = own_gradient_->grid,
                                  .taps = own_gradient_->taps,
                                  .threads = omp_get_max_threads(),
                                  .x = arena_.at<T>(flat_x_),
                                  .dy = arena_.at<T>(gradient_.buffer()),
                                  .gradient = weights,
                                  .accumulate = batch.accumulate,
                                  .scratch = arena_.at<float>(gradient_scratch_)});
        if (bias) compute_bias_gradient(bias, batch.accumulate);
        return;
      }
    }
    BoundPrimitive& product = batch.accumulate ? added_weights_ : backward_weights_;
    product.argument(batch.accumulate ? DNNL_ARG_DST : DNNL_ARG_DIFF_WEIGHTS, plain_weights_descriptor(shape_.weights), weights);
    if (!batch.accumulate && bias) product.argument(DNNL_ARG_DIFF_BIAS, bias_descriptor(shape_), bias);
    product.execute();
    if (batch.accumulate && bias) compute_bias_gradient(bias, true);
  }

  void compute_bias_gradient(float* bias, bool accumulate) const {
    const T* dy = arena_.at<T>(gradient_.buffer());
    for (int64_t c = 0; c < shape_.out.channels; ++c) {
      double sum = 0;
      for (int64_t n = 0; n < shape_.out.images; ++n) sum += load(dy[n * shape_.out.channels + c]);
      bias[c] = static_cast<float>(sum) + (accumulate ? bias[c] : 0.0f);
    }
  }

  int node_;
  int input_;
  LinearShape shape_;
  int64_t weights_offset_ = 0;
  int64_t bias_offset_ = 0;
  BufferId x_ = -1;
  BufferId flat_x_ = -1;
  BufferId y_ = -1;
  BufferId dx_ = -1;
  BufferId flat_dx_ = -1;
  std::optional<WeightCopies> copies_;  // in bfloat16
  BoundPrimitive flatten_;
  std::optional<FullyConnectedForward> own_forward_;
  BufferId scratch_ = -1;
  BoundPrimitive forward_;
  BoundPrimitive backward_weights_;
  BoundPrimitive added_weights_;
  std::optional<TapPart> own_gradient_;
  BufferId gradient_scratch_ = -1;
  BoundPrimitive backward_data_;
  BoundPrimitive unflatten_;
  GradientSum<T> gradient_;
  Arena arena_;
};

}  // namespace

std::unique_ptr<Operation> make_fully_connected(PlanBuilder& builder, const FusedOperation& operation) {
  return make_typed<FullyConnectedLayer>(builder, operation);
}

}  // namespace dl::cpu
