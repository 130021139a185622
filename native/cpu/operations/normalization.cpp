#include <algorithm>
#include <cmath>

#include "cpu/gradient_sum.h"
#include "cpu/operations/operations.h"

namespace dl::cpu {
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
        frozen_(builder.frozen(operation.node)),
        batch_statistics_(builder.training() && !frozen_) {
    input_ = builder.node(operation.node).inputs[0];
    const Value& x = builder.read_value(input_);
    layout_ = x.layout;
    x_ = x.buffer;
    builder.keep_for_backward(x_);
    if (operation.residual) residual_ = builder.read_value(*operation.residual).buffer;
    for (size_t t = 0; t < offsets_.size(); ++t) offsets_[t] = builder.parameter(operation.node, t);

    // Where nothing goes back through this layer, nobody needs x afterwards.
    y_ = !builder.wants_gradient(operation.output) && builder.has_one_reader(input_)
             ? builder.create_value_in_place(operation.output, input_).buffer
             : builder.create_value(operation.output, layout_, x.type).buffer;
    const int64_t channels = layout_.padded_channels();
    for (BufferId* per_channel : {&mean_, &scale_, &shift_, &inverse_deviation_}) {
      *per_channel = builder.saved(channels * static_cast<int64_t>(sizeof(float)));
    }
    if (batch_statistics_) plan_reduction(builder);
    // With a residual only y tells what the activation let pass; without one x does.
    if (operation.residual) builder.keep_for_backward(y_);
  }

  void plan_backward(PlanBuilder& builder) override {
    if (builder.contributions(operation_.output) > 2) {
      sum_.plan(builder, operation_.output);
      dy_ = sum_.buffer();
    } else {
      const std::vector<BufferId> sources = builder.read_gradient(operation_.output);
      dy_ = sources[0];
      if (sources.size() == 2) dy2_ = sources[1];
    }
    plan_reduction(builder);
    if (operation_.residual) {
      dz_ = builder.can_overwrite(dy_) ? dy_ : builder.scratch(layout_.size() * static_cast<int64_t>(sizeof(T)));
      if (builder.wants_gradient(*operation_.residual)) builder.give_gradient(*operation_.residual, dz_);
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

  void bind(const Arena& arena) override { arena_ = arena; }

  void forward(SubBatch& batch) override {
    batch_statistics_ ? batch_statistics(batch) : running_statistics(batch);
    kernels().typed<T>().normalization_forward({.layout = layout_,
                                                .x = arena_.at<T>(x_),
                                                .residual = residual_ < 0 ? nullptr : arena_.at<T>(residual_),
                                                .y = arena_.at<T>(y_),
                                                .scale = arena_.at<float>(scale_),
                                                .shift = arena_.at<float>(shift_),
                                                .activation = operation_.activation});
  }

  void backward(SubBatch& batch) override {
    if (dy_ >= 0 && dy2_ < 0 && sum_.buffer() == dy_) sum_.compute(arena_);
    const bool stored = dz_ >= 0;
    double* sum_dz = arena_.at<double>(reduced_);
    double* sum_dz_centered = sum_dz + layout_.padded_channels();
    // A frozen layer wants no sums; the first half is for dz alone.
    if (stored || !frozen_) reduce(stored, sum_dz, sum_dz_centered);
    if (!frozen_) parameter_gradients(batch, sum_dz, sum_dz_centered);
    if (dx_ < 0) return;
    input_coefficients(batch, sum_dz, sum_dz_centered);
    const float* coefficients = arena_.at<float>(coefficients_);
    kernels().typed<T>().normalization_backward({.layout = layout_,
                                                 .dy = arena_.at<T>(stored ? dz_ : dy_),
                                                 .dy2 = stored || dy2_ < 0 ? nullptr : arena_.at<T>(dy2_),
                                                 .x = arena_.at<T>(x_),
                                                 .dx = arena_.at<T>(dx_),
                                                 .mean = arena_.at<float>(mean_),
                                                 .scale = arena_.at<float>(scale_),
                                                 .shift = arena_.at<float>(shift_),
                                                 .activation = stored ? Activation{} : operation_.activation,
                                                 .a = coefficients,
                                                 .b = coefficients + layout_.padded_channels(),
                                                 .c = coefficients + 2 * layout_.padded_channels()});
  }

 private:
  enum Tensor : size_t { kWeight, kBias, kRunningMean, kRunningVariance };

  /// Scratch of the reductions over images and space, in the present half.
  void plan_reduction(PlanBuilder& builder) {
    const int64_t channels = layout_.padded_channels();
    const auto scratch = [&](BufferId& buffer, int64_t bytes) {
      buffer < 0 ? void(buffer = builder.scratch(bytes)) : builder.arena().use(buffer, builder.now());
    };
    scratch(partial_, reduction_items(layout_) * 2 * channels * static_cast<int64_t>(sizeof(double)));
    scratch(reduced_, 2 * channels * static_cast<int64_t>(sizeof(double)));
    scratch(coefficients_, 3 * channels * static_cast<int64_t>(sizeof(float)));
  }

  void reduce(bool stored, double* sum_dz, double* sum_dz_centered) const {
    kernels().typed<T>().normalization_reduce({.layout = layout_,
                                               .dy = arena_.at<T>(dy_),
                                               .dy2 = dy2_ < 0 ? nullptr : arena_.at<T>(dy2_),
                                               .x = arena_.at<T>(x_),
                                               .y = stored ? arena_.at<T>(y_) : nullptr,
                                               .dz = stored ? arena_.at<T>(dz_) : nullptr,
                                               .mean = arena_.at<float>(mean_),
                                               .scale = arena_.at<float>(scale_),
                                               .shift = arena_.at<float>(shift_),
                                               .activation = operation_.activation,
                                               .sum_dz = sum_dz,
                                               .sum_dz_centered = sum_dz_centered,
                                               .partial = arena_.at<double>(partial_)});
  }

  int64_t values_per_channel() const { return layout_.images * layout_.spatial(); }

  void batch_statistics(SubBatch& batch) {
    double* mean = arena_.at<double>(reduced_);
    double* variance = mean + layout_.padded_channels();
    kernels().typed<T>().statistics(arena_.at<T>(x_), layout_, arena_.at<double>(partial_), mean, variance);
    set_coefficients(
        batch, [&](int64_t c) { return mean[c]; }, [&](int64_t c) { return variance[c]; });

    const double count = static_cast<double>(values_per_channel());
    const double unbiased = count / std::max(count - 1, 1.0);
    const auto move = [&](Tensor tensor, int64_t c, double value) {
      float& running = batch.next_statistics[offsets_[tensor] + c];
      running = static_cast<float>((1 - layer_.momentum) * static_cast<double>(running) + layer_.momentum * value);
    };
    for (int64_t c = 0; c < layout_.channels; ++c) {
      move(kRunningMean, c, mean[c]);
      move(kRunningVariance, c, variance[c] * unbiased);
    }
  }

  void running_statistics(const SubBatch& batch) {
    const auto running = [&](Tensor tensor) {
      return [&, tensor](int64_t c) { return static_cast<double>(batch.values[offsets_[tensor] + c]); };
    };
    set_coefficients(batch, running(kRunningMean), running(kRunningVariance));
  }

  /// y = x * scale + shift. Padded channels get scale and shift 0.
  template <class Mean, class Variance>
  void set_coefficients(const SubBatch& batch, const Mean& mean_of, const Variance& variance_of) {
    const auto per_channel = [&](BufferId buffer) { return arena_.at<float>(buffer); };
    float *mean = per_channel(mean_), *scale = per_channel(scale_), *shift = per_channel(shift_),
          *inverse = per_channel(inverse_deviation_);
    for (BufferId buffer : {mean_, scale_, shift_, inverse_deviation_})
      std::fill_n(per_channel(buffer), layout_.padded_channels(), 0.0f);
    for (int64_t c = 0; c < layout_.channels; ++c) {
      const double weight = static_cast<double>(batch.values[offsets_[kWeight] + c]);
      const double bias = static_cast<double>(batch.values[offsets_[kBias] + c]);
      const double inverse_deviation = 1.0 / std::sqrt(variance_of(c) + layer_.epsilon);
      mean[c] = static_cast<float>(mean_of(c));
      inverse[c] = static_cast<float>(inverse_deviation);
      scale[c] = static_cast<float>(weight * inverse_deviation);
      shift[c] = static_cast<float>(bias - mean_of(c) * weight * inverse_deviation);
    }
  }

  void parameter_gradients(SubBatch& batch, const double* sum_dz, const double* sum_dz_centered) const {
    const float* inverse = arena_.at<float>(inverse_deviation_);
    for (int64_t c = 0; c < layout_.channels; ++c) {
      float& weight = batch.gradients[offsets_[kWeight] + c];
      float& bias = batch.gradients[offsets_[kBias] + c];
      weight = static_cast<float>(sum_dz_centered[c] * static_cast<double>(inverse[c])) + (batch.accumulate ? weight : 0.0f);
      bias = static_cast<float>(sum_dz[c]) + (batch.accumulate ? bias : 0.0f);
    }
  }

  /// dx = a * dz + b * (x - mean) + c. Stored statistics do not depend on x: then b and c are 0.
  void input_coefficients(const SubBatch& batch, const double* sum_dz, const double* sum_dz_centered) const {
    const int64_t channels = layout_.padded_channels();
    const double count = static_cast<double>(values_per_channel());
    const float* inverse = arena_.at<float>(inverse_deviation_);
    float* a = arena_.at<float>(coefficients_);
    float *b = a + channels, *constant = b + channels;
    std::fill_n(a, 3 * channels, 0.0f);
    if (frozen_) {
      std::copy_n(arena_.at<float>(scale_), layout_.channels, a);
      return;
    }
    for (int64_t c = 0; c < layout_.channels; ++c) {
      const double inverse_deviation = static_cast<double>(inverse[c]);
      const double factor = static_cast<double>(batch.values[offsets_[kWeight] + c]) * inverse_deviation;
      a[c] = static_cast<float>(factor);
      b[c] = static_cast<float>(-factor * inverse_deviation * inverse_deviation * sum_dz_centered[c] / count);
      constant[c] = static_cast<float>(-factor * sum_dz[c] / count);
    }
  }

  FusedOperation operation_;
  BatchNorm layer_;
  bool frozen_;
  bool batch_statistics_;  // of the sub-batch; else the stored ones
  Layout layout_;
  int input_ = -1;
  std::array<int64_t, 4> offsets_{};  // of the layer's tensors, by Tensor
  BufferId x_ = -1, residual_ = -1, y_ = -1;
  BufferId mean_ = -1, scale_ = -1, shift_ = -1, inverse_deviation_ = -1;  // (padded channels), float
  BufferId partial_ = -1, reduced_ = -1, coefficients_ = -1;
  BufferId dy_ = -1, dy2_ = -1, dz_ = -1, dx_ = -1;
  GradientSum<T> sum_;
  Arena arena_;
};

}  // namespace

std::unique_ptr<Operation> make_normalization(PlanBuilder& builder, const FusedOperation& operation) {
  return make_typed<Normalization>(builder, operation);
}

}  // namespace dl::cpu
