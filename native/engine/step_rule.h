#pragma once

#include <cmath>
#include <cstdint>

/// Marks what a GPU's code computes as well: there and here it is the same text.
#ifdef __CUDACC__
#define DL_HOST_AND_DEVICE __host__ __device__
#else
#define DL_HOST_AND_DEVICE
#endif

namespace dl {

/// What a step has summed up before anything is changed.
struct StepSums {
  double loss = 0;                   // over the images, weighted by class
  int64_t errors = 0;                // images whose best class is not the label
  double squared_gradient_norm = 0;  // of dL/dw, weight prior included, over the tensors that are not frozen
  double squared_weight_norm = 0;    // of the regularised weights
  double squared_statistics = 0;     // of the running statistics that the step leaves
};

/// What decides about a step beside its sums.
struct StepRule {
  int64_t images = 0;
  double learning_rate = 0;
  double weight_prior = 0;
  double weight_decay = 0;
  double max_gradient_norm = 0;  // 0: no clipping
  bool adam = false;
  double adam_factor = 0;  // Adam: the greatest learning rate / (1 - beta1^t) / epsilon of the tensors
};

/// What follows from both.
struct StepVerdict {
  double loss = 0;
  double loss_multinomial_logistic = 0;
  double loss_regularization = 0;
  double gradient_norm = 0;   // before clipping
  double gradient_scale = 1;  // what clipping leaves of the gradient
  bool sound = false;         // else the step counts as diverged and must not be applied
};

/// Of the gradients that Adam takes; their squares and the first moments stay far from float32's ends.
constexpr float kLargestGradient = 1e15f;

/// Euclidean length of an update by SGD or by weight decay. With greater ones no loss would be finite any more.
constexpr double kLargestUpdate = 1e30;

/// What is multiplied with in float32 must be a number there: where the gradient is zero, the greatest learning rate makes no
/// update.
constexpr double kLargestFactor = 1e38;

/// Adam: of learning rate / (1 - beta1^t) / epsilon. As the first moment is a mean of gradients below kLargestGradient, no value
/// moves by more than the product of the two.
constexpr double kLargestAdamFactor = 1e20;

/// PyTorch's clip_grad_norm_ has the same constant.
constexpr double kClippingEpsilon = 1e-6;

/// A step is sound where its loss is finite and no value can become so large that float32 loses it.
DL_HOST_AND_DEVICE inline StepVerdict judge(const StepSums& sums, const StepRule& rule) {
  StepVerdict verdict;
  verdict.loss_multinomial_logistic = sums.loss / static_cast<double>(rule.images);
  // The sum of squares may be infinite where the weights are not; without a prior it does not count.
  verdict.loss_regularization = rule.weight_prior > 0 ? rule.weight_prior / 2 * sums.squared_weight_norm : 0;
  verdict.loss = verdict.loss_multinomial_logistic + verdict.loss_regularization;
  verdict.gradient_norm = std::sqrt(sums.squared_gradient_norm);
  if (rule.max_gradient_norm > 0) {
    const double scale = rule.max_gradient_norm / (verdict.gradient_norm + kClippingEpsilon);
    verdict.gradient_scale = scale < 1 ? scale : 1;
  }
  const double clipped_norm = verdict.gradient_scale * verdict.gradient_norm;
  const double decay = rule.learning_rate * rule.weight_decay;
  const double decay_norm = decay > 0 ? decay * std::sqrt(sums.squared_weight_norm) : 0;
  // Comparisons with NaN are false; only what is finite less itself is zero.
  const bool bounded = rule.adam ? clipped_norm < static_cast<double>(kLargestGradient) && rule.adam_factor < kLargestAdamFactor
                                 : rule.learning_rate * clipped_norm < kLargestUpdate &&
                                       rule.learning_rate * verdict.gradient_scale < kLargestFactor;
  verdict.sound = verdict.loss - verdict.loss == 0 && sums.squared_statistics - sums.squared_statistics == 0 &&
                  decay_norm < kLargestUpdate && decay < kLargestFactor && bounded;
  return verdict;
}

}  // namespace dl
