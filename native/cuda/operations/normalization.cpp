#include <array>

#include "cuda/gradients.h"
#include "cuda/operations/operations.h"

namespace dl::cuda {
namespace {

/// Batch norm, then the residual's addition and the ReLU where the graph has them:
///   xhat = (x - mean) / sqrt(variance + epsilon),   y = activation(weight * xhat + bias (+ residual)).
/// Backward, with M values a channel and dz = dy where the activation let the value pass:
///   dbias = sum dz,   dweight = sum dz * xhat,   dx = weight / sqrt(variance + epsilon) * (dz - dbias / M - xhat * dweight / M).
/// Mean and variance are those of the sub-batch, or the stored ones where the layer is frozen or applied; then
///   dx = weight / sqrt(variance + epsilon) * dz.
template <class T>
class Normalization final : public Operation {
 public:
  Normalization(PlanBuilder& builder, const FusedOperation& operation)
      : operation_(operation),
        layer_(std::get<BatchNorm>(builder.node(operation.node).kind)),
        input_(builder.node(operation.node).inputs[0]),
        batch_statistics_(builder.training() && !builder.frozen(operation.node)) {
    const Value x = builder.read_value(input_);
    rows_ = x.rows();
    channels_ = x.shape.channels;
    x_ = x.buffer;
    builder.keep_for_backward(x_);
    if (operation.residual) residual_ = builder.read_value(*operation.residual).buffer;
    for (size_t t = 0; t < offsets_.size(); ++t) offsets_[t] = builder.parameter(operation.node, t);
    // Where nothing goes back through this layer, nobody needs x afterwards.
    const bool goes_back = builder.wants_gradient(operation.output);
    y_ = !goes_back && builder.has_one_reader(input_) ? builder.create_value_in_place(operation.output, input_).buffer
                                                      : builder.create_value(operation.output, x.type).buffer;
    for (BufferId* per_channel : {&mean_, &inverse_deviation_, &scale_, &shift_}) {
      const int64_t bytes = channels_ * static_cast<int64_t>(sizeof(float));
      // What follows from stored statistics is worked out when they change.
      *per_channel = batch_statistics_ ? builder.saved(bytes) : builder.arena().add_persistent(bytes);
    }
    if (batch_statistics_) statistics_ = builder.reduction(reduction(builder));
    // With a residual, x does not tell what the activation let pass.
    if (residual_ >= 0 && operation_.activation.present && goes_back) mask_ = builder.saved(rows_ * mask_bytes(channels_));
  }

  void plan_backward(PlanBuilder& builder) override {
    gradient_.plan(builder, operation_.output, 2);
    if (batch_statistics_) {
      sums_ = builder.reduction(reduction(builder));
      for (BufferId* per_channel : {&slope_, &offset_})
        *per_channel = builder.scratch(channels_ * static_cast<int64_t>(sizeof(float)));
      weight_gradient_ = ParameterGradient(builder, offsets_[kWeight], channels_);
      bias_gradient_ = ParameterGradient(builder, offsets_[kBias], channels_);
    }
    if (operation_.residual && builder.wants_gradient(*operation_.residual)) {
      dz_ = builder.can_overwrite(gradient_.first()) ? gradient_.first()
                                                     : builder.scratch(rows_ * channels_ * static_cast<int64_t>(sizeof(T)));
      builder.give_gradient(*operation_.residual, dz_);
    }
    if (!builder.wants_gradient(input_)) return;
    // The gradient takes the place of x where nobody reads x any more.
    if (builder.can_overwrite(x_)) {
      dx_ = x_;
      builder.give_gradient(input_, x_);
    } else {
      dx_ = builder.create_gradient(input_);
    }
  }

  void bind(const Arena& arena, const Pass& /*pass*/, Target& /*target*/) override { arena_ = arena; }

  void refresh(const Pass& pass) override {
    if (batch_statistics_) return;
    check(stored_statistics(pass.launch(), {.channels = channels_,
                                            .epsilon = layer_.epsilon,
                                            .weight = pass.values + offsets_[kWeight],
                                            .bias = pass.values + offsets_[kBias],
                                            .mean = pass.values + offsets_[kRunningMean],
                                            .variance = pass.values + offsets_[kRunningVariance],
                                            .saved = saved()}),
          "stored statistics");
  }

  void forward(const Pass& pass) override {
    if (batch_statistics_) {
      check(dl::cuda::batch_statistics<T>(pass.launch(), {.rows = rows_,
                                                          .channels = channels_,
                                                          .epsilon = layer_.epsilon,
                                                          .momentum = layer_.momentum,
                                                          .x = arena_.at<T>(x_),
                                                          .weight = pass.values + offsets_[kWeight],
                                                          .bias = pass.values + offsets_[kBias],
                                                          .running_mean = pass.next_statistics + offsets_[kRunningMean],
                                                          .running_variance = pass.next_statistics + offsets_[kRunningVariance],
                                                          .saved = saved(),
                                                          .scratch = arena_.scratch(statistics_)}),
            "batch statistics");
    }
    check(normalization_forward<T>(pass.launch(), {.rows = rows_,
                                                   .channels = channels_,
                                                   .x = arena_.at<T>(x_),
                                                   .residual = arena_.at<T>(residual_),
                                                   .y = arena_.at<T>(y_),
                                                   .scale = arena_.at<float>(scale_),
                                                   .shift = arena_.at<float>(shift_),
                                                   .activation = operation_.activation,
                                                   .mask = arena_.at<uint8_t>(mask_)}),
          "a batch norm");
  }

  void backward(const Pass& pass) override {
    gradient_.compute(arena_, pass.launch());
    if (batch_statistics_) reduce(pass);
    const bool stored = batch_statistics_ && dz_ >= 0;  // the first half has written dz
    const bool wants_dz = !batch_statistics_ && dz_ >= 0;
    if (dx_ < 0 && !wants_dz) return;
    check(normalization_backward<T>(pass.launch(), {.rows = rows_,
                                                    .channels = channels_,
                                                    .dy = stored ? arena_.at<T>(dz_) : gradient_.dy(arena_),
                                                    .dy2 = stored ? nullptr : gradient_.dy2(arena_),
                                                    .x = arena_.at<T>(x_),
                                                    .mask = stored ? nullptr : arena_.at<uint8_t>(mask_),
                                                    .dx = arena_.at<T>(dx_),
                                                    .dz = wants_dz ? arena_.at<T>(dz_) : nullptr,
                                                    .scale = arena_.at<float>(scale_),
                                                    .shift = arena_.at<float>(shift_),
                                                    .slope = arena_.at<float>(slope_),
                                                    .offset = arena_.at<float>(offset_),
                                                    .activation = stored ? Activation{} : operation_.activation}),
          "a batch norm's gradient");
  }

 private:
  enum Tensor : size_t { kWeight, kBias, kRunningMean, kRunningVariance };

  ReductionSize reduction(const PlanBuilder& builder) const {
    return reduction_size(rows_, channels_, builder.target().multiprocessors());
  }

  NormalizationSaved saved() const {
    return {arena_.at<float>(mean_), arena_.at<float>(inverse_deviation_), arena_.at<float>(scale_), arena_.at<float>(shift_)};
  }

  void reduce(const Pass& pass) {
    check(normalization_reduce<T>(pass.launch(), {.rows = rows_,
                                                  .channels = channels_,
                                                  .dy = gradient_.dy(arena_),
                                                  .dy2 = gradient_.dy2(arena_),
                                                  .x = arena_.at<T>(x_),
                                                  .mask = arena_.at<uint8_t>(mask_),
                                                  .dz = arena_.at<T>(dz_),
                                                  .saved = saved(),
                                                  .activation = operation_.activation,
                                                  .weight_gradient = weight_gradient_.target(arena_, pass),
                                                  .bias_gradient = bias_gradient_.target(arena_, pass),
                                                  .slope = arena_.at<float>(slope_),
                                                  .offset = arena_.at<float>(offset_),
                                                  .scratch = arena_.scratch(sums_)}),
          "a batch norm's sums");
    weight_gradient_.finish(arena_, pass);
    bias_gradient_.finish(arena_, pass);
  }

  FusedOperation operation_;
  BatchNorm layer_;
  int input_;
  bool batch_statistics_;  // of the sub-batch; else the stored ones
  int64_t rows_ = 0;
  int64_t channels_ = 0;
  std::array<int64_t, 4> offsets_{};  // of the layer's tensors, by Tensor
  BufferId x_ = -1, residual_ = -1, y_ = -1, mask_ = -1;
  BufferId mean_ = -1, inverse_deviation_ = -1, scale_ = -1, shift_ = -1;  // (channels), float
  BufferId slope_ = -1, offset_ = -1;                                      // (channels), float
  BufferId dz_ = -1, dx_ = -1;
  PlannedReduction statistics_, sums_;
  ParameterGradient weight_gradient_, bias_gradient_;
  IncomingGradient<T> gradient_;
  Arena arena_;
};

}  // namespace

std::unique_ptr<Operation> make_normalization(PlanBuilder& builder, const FusedOperation& operation) {
  return make_typed<Normalization>(builder, operation);
}

}  // namespace dl::cuda
