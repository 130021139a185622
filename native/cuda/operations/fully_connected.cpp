#include "cuda/gradients.h"
#include "cuda/matrix_product.h"
#include "cuda/operations/operations.h"

namespace dl::cuda {
namespace {

/// A fully connected layer by cuBLASLt, over all values of an image in the order that they lie in; the weights are kept in that
/// order, too:
///   y = x * W^T + bias,   dx = dy * W,   dW = dy^T * x,   dbias = sum of dy over images.
template <class T>
class FullyConnectedLayer final : public Operation {
 public:
  FullyConnectedLayer(PlanBuilder& builder, const FusedOperation& operation)
      : node_(operation.node), input_(builder.node(node_).inputs[0]) {
    const Value x = builder.read_value(input_);
    logits_ = builder.gives_logits(node_);
    images_ = x.images;
    in_ = x.shape.size();
    out_ = builder.node(node_).shape.channels;
    weights_offset_ = builder.parameter(node_, 0);
    if (std::get<FullyConnected>(builder.node(node_).kind).bias) bias_offset_ = builder.parameter(node_, 1);
    x_ = x.buffer;
    if (!builder.frozen(node_)) builder.keep_for_backward(x_);
    y_ = builder.create_value(node_, y_type()).buffer;
    forward_ = MatrixProduct(builder, {images_, in_, false, type()}, {out_, in_, true, type()}, {images_, out_, false, y_type()});
  }

  void plan_backward(PlanBuilder& builder) override {
    gradient_.plan(builder, node_);
    if (!builder.frozen(node_)) {
      backward_weights_ = MatrixProduct(builder, {images_, out_, true, type()}, {images_, in_, false, type()},
                                        {out_, in_, false, DataType::kFloat32});
      weight_gradient_ = ParameterGradient(builder, weights_offset_, out_ * in_);
      if (bias_offset_ >= 0) {
        reduction_ = builder.reduction(reduction_size(images_, out_, builder.target().multiprocessors()));
        bias_gradient_ = ParameterGradient(builder, bias_offset_, out_);
      }
    }
    if (!builder.wants_gradient(input_)) return;
    backward_data_ =
        MatrixProduct(builder, {images_, out_, false, type()}, {out_, in_, false, type()}, {images_, in_, false, type()});
    dx_ = builder.create_gradient(input_);
  }

  void bind(const Arena& arena, const Pass& pass, Target& /*target*/) override {
    arena_ = arena;
    for (MatrixProduct* product : {&forward_, &backward_weights_, &backward_data_})
      if (*product) product->bind(arena, *pass.handles);
  }

  void forward(const Pass& pass) override {
    forward_.execute(pass, arena_.at<T>(x_), weights(pass), arena_.at<void>(y_));
    if (bias_offset_ >= 0) check(logits_ ? add_bias<float>(pass) : add_bias<T>(pass), "adding a bias");
  }

  void backward(const Pass& pass) override {
    gradient_.compute(arena_, pass.launch());
    const T* dy = gradient_.dy(arena_);
    if (backward_weights_) {
      backward_weights_.execute(pass, dy, arena_.at<T>(x_), weight_gradient_.target(arena_, pass));
      weight_gradient_.finish(arena_, pass);
      if (bias_offset_ >= 0) {
        check(bias_gradient<T>(pass.launch(), images_, out_, dy, bias_gradient_.target(arena_, pass), arena_.scratch(reduction_)),
              "a bias's gradient");
        bias_gradient_.finish(arena_, pass);
      }
    }
    pass.end_weights();
    if (backward_data_) backward_data_.execute(pass, dy, weights(pass), arena_.at<T>(dx_));
  }

 private:
  static constexpr DataType type() { return sizeof(T) == 2 ? DataType::kBfloat16 : DataType::kFloat32; }
  DataType y_type() const { return logits_ ? DataType::kFloat32 : type(); }
  const T* weights(const Pass& pass) const { return pass.typed_values<T>() + weights_offset_; }

  template <class Y>
  cudaError_t add_bias(const Pass& pass) const {
    Y* y = arena_.at<Y>(y_);
    return normalization_forward<Y>(pass.launch(),
                                    {.rows = images_, .channels = out_, .x = y, .y = y, .shift = pass.values + bias_offset_});
  }

  int node_;
  int input_;
  bool logits_ = false;
  int64_t images_ = 0;
  int64_t in_ = 0;
  int64_t out_ = 0;
  int64_t weights_offset_ = 0;
  int64_t bias_offset_ = -1;
  BufferId x_ = -1, y_ = -1, dx_ = -1;
  MatrixProduct forward_;
  MatrixProduct backward_weights_;
  MatrixProduct backward_data_;
  ParameterGradient weight_gradient_;
  ParameterGradient bias_gradient_;
  PlannedReduction reduction_;
  IncomingGradient<T> gradient_;
  Arena arena_;
};

}  // namespace

std::unique_ptr<Operation> make_fully_connected(PlanBuilder& builder, const FusedOperation& operation) {
  return make_typed<FullyConnectedLayer>(builder, operation);
}

}  // namespace dl::cuda
