#include "cuda/convolution/planned_convolution.h"
#include "cuda/gradients.h"
#include "cuda/operations/operations.h"

namespace dl::cuda {
namespace {

/// A convolution by cuDNN:
///   y = W * x + bias,   dx = W^T * dy,   dW = dy * x^T,   dbias = sum of dy over images and space.
/// Where x has another reader, whose gradient is there already, dx is added to it.
/// Filters are read, and their gradient is written, where they lie; only where x has padded channels they are copied.
template <class T>
class ConvolutionOperation final : public Operation {
 public:
  ConvolutionOperation(PlanBuilder& builder, const FusedOperation& operation)
      : node_(operation.node), input_(builder.node(node_).inputs[0]) {
    const Graph::Node& node = builder.node(node_);
    const Convolution& layer = std::get<Convolution>(node.kind);
    const Value x = builder.read_value(input_);
    shape_ = {.direction = ConvolutionShape::Direction::kForward,
              .images = x.images,
              .in = x.shape,
              .out = node.shape,
              .kernel = layer.kernel,
              .stride = layer.stride,
              .padding = layer.padding,
              .groups = layer.groups,
              .type = builder.type(),
              .result = builder.type()};
    channels_ = builder.node(input_).shape.channels / layer.groups;
    rows_ = node.shape.channels * layer.kernel[0] * layer.kernel[1];
    weights_offset_ = builder.parameter(node_, 0);
    if (layer.bias) bias_offset_ = builder.parameter(node_, 1);
    x_ = x.buffer;
    if (!builder.frozen(node_)) builder.keep_for_backward(x_);
    y_ = builder.create_value(node_, builder.type()).buffer;
    forward_ = PlannedConvolution(builder, shape_, node.name);
    if (padded()) filters_ = builder.scratch(filter_size() * static_cast<int64_t>(sizeof(T)));
  }

  void plan_backward(PlanBuilder& builder) override {
    gradient_.plan(builder, node_);
    if (!builder.frozen(node_)) plan_filter_gradient(builder);
    if (!builder.wants_gradient(input_)) return;
    ConvolutionShape data = shape_;
    data.direction = ConvolutionShape::Direction::kData;
    ConvolutionShape added = data;
    added.added = true;
    const auto to_add_to = is_computable(builder, added) ? builder.gradient_to_add_to(input_, gradient_.first()) : std::nullopt;
    backward_data_ = PlannedConvolution(builder, to_add_to ? added : data, builder.node(node_).name);
    dx_ = to_add_to ? *to_add_to : builder.create_gradient(input_);
  }

  void bind(const Arena& arena, const Pass& pass, Target& target) override {
    arena_ = arena;
    const auto filters = [&] {
      return padded() ? arena.at<void>(filters_) : const_cast<T*>(pass.typed_values<T>() + weights_offset_);
    };
    forward_.bind({arena.at<void>(x_), filters(), arena.at<void>(y_)}, arena, *pass.handles, target);
    if (backward_filter_) {
      void* dy = arena.at<void>(gradient_.first());
      backward_filter_.bind({arena.at<void>(x_), direct() ? pass.gradients + weights_offset_ : arena.at<void>(written_), dy},
                            arena, *pass.handles, target);
      if (direct()) backward_filter_added_.bind({arena.at<void>(x_), arena.at<void>(written_), dy}, arena, *pass.handles, target);
    }
    if (backward_data_)
      backward_data_.bind({arena.at<void>(dx_), filters(), arena.at<void>(gradient_.first())}, arena, *pass.handles, target);
  }

  void forward(const Pass& pass) override {
    if (padded())
      check(pad_channels<T>(pass.launch(), rows_, channels_, shape_.in.channels, pass.values + weights_offset_,
                            arena_.at<T>(filters_)),
            "padding filters");
    forward_.execute(pass);
    if (bias_offset_ < 0) return;
    check(normalization_forward<T>(pass.launch(), {.rows = out_rows(),
                                                   .channels = shape_.out.channels,
                                                   .x = arena_.at<T>(y_),
                                                   .y = arena_.at<T>(y_),
                                                   .shift = pass.values + bias_offset_}),
          "adding a bias");
  }

  void backward(const Pass& pass) override {
    gradient_.compute(arena_, pass.launch());
    if (backward_filter_) filter_gradient(pass);
    if (backward_filter_ && bias_offset_ >= 0) {
      check(bias_gradient<T>(pass.launch(), out_rows(), shape_.out.channels, gradient_.dy(arena_),
                             bias_gradient_.target(arena_, pass), arena_.scratch(reduction_)),
            "a bias's gradient");
      bias_gradient_.finish(arena_, pass);
    }
    pass.end_weights();
    if (backward_data_) backward_data_.execute(pass);
  }

 private:
  bool padded() const { return shape_.in.channels != channels_ * shape_.groups; }
  int64_t filter_size() const { return rows_ * shape_.in.channels / shape_.groups; }
  int64_t out_rows() const { return shape_.images * shape_.out.height * shape_.out.width; }
  /// Whether cuDNN writes the gradient as it is wanted: in float32, without padding.
  bool direct() const { return !padded() && filter_shape_.result == DataType::kFloat32; }

  void plan_filter_gradient(PlanBuilder& builder) {
    filter_shape_ = shape_;
    filter_shape_.direction = ConvolutionShape::Direction::kFilter;
    filter_shape_.result = DataType::kFloat32;
    // cuDNN 9.24 has no engine that leaves the sums of a bfloat16 plan in float32; should another version have one, it is used.
    if (!is_computable(builder, filter_shape_)) filter_shape_.result = shape_.type;
    const std::string& name = builder.node(node_).name;
    backward_filter_ = PlannedConvolution(builder, filter_shape_, name);
    if (direct()) backward_filter_added_ = PlannedConvolution(builder, filter_shape_, name);
    written_ = builder.scratch(filter_size() * bytes_of(filter_shape_.result));
    if (filter_shape_.result != DataType::kFloat32 && padded())
      converted_ = builder.scratch(filter_size() * static_cast<int64_t>(sizeof(float)));
    if (!direct()) weight_gradient_ = ParameterGradient(builder, weights_offset_, rows_ * channels_);
    if (bias_offset_ < 0) return;
    reduction_ = builder.reduction(reduction_size(out_rows(), shape_.out.channels, builder.target().multiprocessors()));
    bias_gradient_ = ParameterGradient(builder, bias_offset_, shape_.out.channels);
  }

  void filter_gradient(const Pass& pass) {
    if (direct() && !pass.accumulate) return backward_filter_.execute(pass);
    if (direct()) {
      backward_filter_added_.execute(pass);
      check(accumulate(pass.launch(), filter_size(), arena_.at<float>(written_), pass.gradients + weights_offset_, pass.inputs),
            "adding a sub-batch's gradient");
      return;
    }
    backward_filter_.execute(pass);
    float* target = weight_gradient_.target(arena_, pass);
    BufferId gradient = written_;
    if (filter_shape_.result != DataType::kFloat32) {
      float* converted = padded() ? arena_.at<float>(converted_) : target;
      check(cast(pass.launch(), filter_size(), arena_.at<Bfloat16>(written_), converted), "converting a gradient");
      gradient = converted_;
    }
    if (padded()) {
      check(unpad_channels(pass.launch(), rows_, channels_, shape_.in.channels, arena_.at<float>(gradient), target),
            "storing a gradient");
    }
    weight_gradient_.finish(arena_, pass);
  }

  int node_;
  int input_;
  ConvolutionShape shape_;
  ConvolutionShape filter_shape_;
  int64_t channels_ = 0;  // of one filter, without padding
  int64_t rows_ = 0;      // of the filters: (out, kernel height, kernel width)
  int64_t weights_offset_ = 0;
  int64_t bias_offset_ = -1;
  BufferId x_ = -1, y_ = -1, dx_ = -1;
  BufferId filters_ = -1;    // with padding
  BufferId written_ = -1;    // by cuDNN
  BufferId converted_ = -1;  // the same in float32
  PlannedConvolution forward_;
  PlannedConvolution backward_data_;
  PlannedConvolution backward_filter_;
  PlannedConvolution backward_filter_added_;  // beside the gradients of earlier sub-batches
  ParameterGradient weight_gradient_;
  ParameterGradient bias_gradient_;
  PlannedReduction reduction_;
  IncomingGradient<T> gradient_;
  Arena arena_;
};

}  // namespace

std::unique_ptr<Operation> make_convolution(PlanBuilder& builder, const FusedOperation& operation) {
  return make_typed<ConvolutionOperation>(builder, operation);
}

}  // namespace dl::cuda
