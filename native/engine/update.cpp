#include "engine/update.h"

#include <algorithm>
#include <cmath>

namespace dl {
namespace {

/// Euclidean length of an update by SGD or by weight decay.
constexpr double kLargestUpdate = 1e30;

/// Adam: of learning rate / (1 - beta1^t) / epsilon. As the first moment is a mean of gradients below kLargestGradient, no value
/// moves by more than the product of the two.
constexpr double kLargestAdamFactor = 1e20;

/// PyTorch's clip_grad_norm_ has the same constant.
constexpr double kClippingEpsilon = 1e-6;

double clipping_scale(double gradient_norm, double max_gradient_norm) {
  return max_gradient_norm > 0 ? std::min(1.0, max_gradient_norm / (gradient_norm + kClippingEpsilon)) : 1.0;
}

}  // namespace

Update::Update(const cpu::Plan& plan, const TrainOptions& options, const cpu::UpdateNorms& norms, SolverState& solver)
    : plan_(plan), options_(options), solver_(solver) {
  const double gradient_norm = std::sqrt(norms.squared_gradient_norm);
  gradient_scale_ = clipping_scale(gradient_norm, options.max_gradient_norm);
  gradient_norm_ = gradient_scale_ * gradient_norm;
  const double decay = options.learning_rate * options.weight_decay;
  decay_norm_ = decay > 0 ? decay * std::sqrt(norms.squared_weight_norm) : 0;
  if (solver.solver() != Solver::kAdam) return;

  updates_.resize(solver.updates().size());
  step_.resize(updates_.size());
  root_.resize(updates_.size());
  for (const cpu::ParameterSegment& segment : plan.segments()) {
    const auto t = static_cast<size_t>(segment.tensor);
    if (segment.frozen || updates_[t] > 0) continue;
    updates_[t] = std::min(solver.updates()[t] + 1, SolverState::kMostUpdates);
    const auto count = static_cast<double>(updates_[t]);
    step_[t] = static_cast<float>(options.learning_rate / (1 - std::pow(options.adam_beta1, count)));
    root_[t] = static_cast<float>(1 / std::sqrt(1 - std::pow(options.adam_beta2, count)));
  }
}

bool Update::bounded() const {
  if (!(decay_norm_ < kLargestUpdate)) return false;
  if (solver_.solver() == Solver::kSgd) return options_.learning_rate * gradient_norm_ < kLargestUpdate;
  const float greatest_step = step_.empty() ? 0 : *std::max_element(step_.begin(), step_.end());
  return gradient_norm_ < static_cast<double>(SolverState::kLargestGradient) &&
         static_cast<double>(greatest_step) / options_.adam_epsilon < kLargestAdamFactor;
}

void Update::apply(std::span<float> values) {
  const auto keep = static_cast<float>(1 - options_.learning_rate * options_.weight_decay);
  const auto prior = static_cast<float>(options_.weight_prior);
  if (solver_.solver() == Solver::kSgd) {
    cpu::kernels().sgd_update(plan_.segments(), {.gradients = plan_.gradients(),
                                                 .values = values.data(),
                                                 .velocities = solver_.first(),
                                                 .learning_rate = static_cast<float>(options_.learning_rate * gradient_scale_),
                                                 .momentum = static_cast<float>(options_.momentum),
                                                 .weight_prior = prior,
                                                 .keep = keep});
    return;
  }
  cpu::kernels().adam_update(plan_.segments(), {.gradients = plan_.gradients(),
                                                .values = values.data(),
                                                .first_moments = solver_.first(),
                                                .second_moments = solver_.second(),
                                                .step = step_,
                                                .root = root_,
                                                .gradient_scale = static_cast<float>(gradient_scale_),
                                                .one_minus_beta1 = static_cast<float>(1 - options_.adam_beta1),
                                                .one_minus_beta2 = static_cast<float>(1 - options_.adam_beta2),
                                                .epsilon = static_cast<float>(options_.adam_epsilon),
                                                .weight_prior = prior,
                                                .keep = keep});
  for (size_t t = 0; t < updates_.size(); ++t)
    if (updates_[t] > 0) solver_.updates()[t] = updates_[t];
}

}  // namespace dl
