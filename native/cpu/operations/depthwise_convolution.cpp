#include "cpu/operations/operations.h"
#include "cpu/operations/own_convolution.h"

namespace dl::cpu {
namespace {

/// A depthwise 3 x 3 convolution by the kernels of kernels/depthwise.h, channel by channel.
template <class T>
class DepthwiseConvolutionOperation final : public OwnConvolution<T> {
 public:
  DepthwiseConvolutionOperation(PlanBuilder& builder, const FusedOperation& operation, const LinearShape& shape)
      : OwnConvolution<T>(builder, operation, shape), shape_{shape.in,        shape.out,        shape.stride[0],
                                                             shape.stride[1], shape.padding[0], shape.padding[1]} {
    filters_ = builder.arena().add_persistent(float_bytes(shape_.filter_values()));
  }

  void forward(SubBatch& /*batch*/) override { convolve(false, this->x(), filters_, this->stage(), this->y()); }

 protected:
  int64_t weight_gradient_scratch() const override { return kernel().weight_gradient_scratch(shape_); }

  void plan_data_gradient(PlanBuilder& builder) override {
    if (shape_.turns_filters()) turned_filters_ = builder.scratch(float_bytes(shape_.filter_values()));
  }

  void prepare_filters(const float* weights) override { pack_filters(weights, false, filters_); }

  void compute_weight_gradient(const typename OwnConvolution<T>::WeightGradient& job) const override {
    kernel().weight_gradient({.shape = shape_,
                              .x = job.x,
                              .dy = job.dy,
                              .gradient = job.gradient,
                              .accumulate = job.accumulate,
                              .scratch = job.scratch});
  }

  void compute_data_gradient(const T* dy, const float* weights, T* dx) const override {
    if (turned_filters_ >= 0) pack_filters(weights, true, turned_filters_);
    convolve(true, dy, turned_filters_ >= 0 ? turned_filters_ : filters_, {}, dx);
  }

 private:
  static const DepthwiseKernels<T>& kernel() { return *kernels().typed_depthwise<T>(); }

  void pack_filters(const float* weights, bool turned, BufferId to) const {
    kernel().filters(weights, shape_.in.channels, turned, this->floats(to));
  }

  void convolve(bool data_gradient, const T* from, BufferId filters, const OutputStage& stage, T* to) const {
    kernel().convolution({.shape = shape_,
                          .data_gradient = data_gradient,
                          .from = from,
                          .filters = this->floats(filters),
                          .stage = stage,
                          .to = to});
  }

  DepthwiseShape shape_;
  BufferId filters_ = -1;
  BufferId turned_filters_ = -1;
};

/// Null where the kernels do not apply. A bias has no gradient here.
template <class T>
std::unique_ptr<Operation> make(PlanBuilder& builder, const FusedOperation& operation, const LinearShape& shape) {
  const DepthwiseKernels<T>* depthwise = kernels().typed_depthwise<T>();
  const bool applies = depthwise && shape.in_type == shape.out_type && shape.in.order == Order::kNhwc &&
                       shape.out.order == Order::kNhwc && shape.weights == dnnl::memory::dims{shape.in.channels, 1, 1, 3, 3} &&
                       !(builder.training() && shape.bias) && shape.in.channels % depthwise->channels == 0;
  if (!applies) return nullptr;
  return std::make_unique<DepthwiseConvolutionOperation<T>>(builder, operation, shape);
}

}  // namespace

std::unique_ptr<Operation> make_depthwise_convolution(PlanBuilder& builder, const FusedOperation& operation) {
  const Value& x = builder.read_value(builder.node(operation.node).inputs[0]);
  const LinearShape shape = linear_shape(builder, operation, x.layout, x.type);
  return shape.in_type == DataType::kFloat32 ? make<float>(builder, operation, shape) : make<Bfloat16>(builder, operation, shape);
}

}  // namespace dl::cpu
