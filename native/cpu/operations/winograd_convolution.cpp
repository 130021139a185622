#include <omp.h>

#include <algorithm>

#include "cpu/operations/operations.h"
#include "cpu/operations/own_convolution.h"

namespace dl::cpu {
namespace {

template <class T>
const WinogradKernels<T>* winograd_kernels(const LinearShape& shape) {
  return kernels().typed_winograd<T>(shape.weights[2]);
}

WinogradShape winograd_shape(const LinearShape& shape, int64_t tile) {
  return {shape.in, shape.out, shape.padding[0], shape.padding[1], tile};
}

/// A convolution of stride 1 by the kernels of kernels/winograd.h.
template <class T>
class WinogradConvolutionOperation final : public OwnConvolution<T> {
 public:
  WinogradConvolutionOperation(PlanBuilder& builder, const FusedOperation& operation, const LinearShape& shape)
      : OwnConvolution<T>(builder, operation, shape),
        kernel_(*winograd_kernels<T>(shape)),
        shape_(winograd_shape(shape, kernel_.tile)),
        gradient_shape_{shape.out, shape.in, kernel_.taps - 1 - shape.padding[0], kernel_.taps - 1 - shape.padding[1],
                        kernel_.tile},
        threads_(omp_get_max_threads()) {
    filters_ = builder.arena().add_persistent(filter_bytes(shape_));
    scratch_ = builder.scratch(float_bytes(kernel_.convolution_scratch(shape_, threads_)));
  }

  void forward(SubBatch& /*batch*/) override { convolve(shape_, this->x(), filters_, this->stage(), this->y(), scratch_); }

 protected:
  int64_t weight_gradient_scratch() const override { return kernel_.weight_gradient_scratch(shape_, threads_); }

  void plan_data_gradient(PlanBuilder& builder) override {
    data_filters_ = builder.scratch(filter_bytes(gradient_shape_));
    data_scratch_ = builder.scratch(float_bytes(kernel_.convolution_scratch(gradient_shape_, threads_)));
  }

  void prepare_filters(const float* weights) override { transform_filters(weights, shape_, filters_, false); }

  void compute_weight_gradient(const typename OwnConvolution<T>::WeightGradient& job) const override {
    kernel_.weight_gradient({.shape = shape_,
                             .threads = threads_,
                             .x = job.x,
                             .dy = job.dy,
                             .gradient = job.gradient,
                             .accumulate = job.accumulate,
                             .scratch = job.scratch});
  }

  void compute_data_gradient(const T* dy, const float* weights, T* dx) const override {
    transform_filters(weights, gradient_shape_, data_filters_, true);
    convolve(gradient_shape_, dy, data_filters_, {}, dx, data_scratch_);
  }

 private:
  int64_t filter_bytes(const WinogradShape& shape) const {
    return float_bytes(kernel_.filter_values(shape.out.channels, shape.in.channels));
  }

  void transform_filters(const float* weights, const WinogradShape& shape, BufferId to, bool data_gradient) const {
    kernel_.filters({.columns = shape.out.channels,
                     .depth = shape.in.channels,
                     .weights = weights,
                     .data_gradient = data_gradient,
                     .transformed = this->floats(to)});
  }

  void convolve(const WinogradShape& shape, const T* x, BufferId filters, const OutputStage& stage, T* y,
                BufferId scratch) const {
    kernel_.convolution({.shape = shape,
                         .threads = threads_,
                         .x = x,
                         .filters = this->floats(filters),
                         .stage = stage,
                         .y = y,
                         .scratch = this->floats(scratch)});
  }

  const WinogradKernels<T>& kernel_;
  WinogradShape shape_;
  WinogradShape gradient_shape_;
  int64_t threads_;
  BufferId filters_ = -1;
  BufferId scratch_ = -1;
  BufferId data_filters_ = -1;
  BufferId data_scratch_ = -1;
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
