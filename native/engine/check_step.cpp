#include "engine/check_step.h"

#include <string>

#include "engine/error.h"

namespace dl {

StepRule step_rule(const TrainOptions& options, int64_t images, Solver solver, const AdamCorrections& corrections) {
  return {.images = images,
          .learning_rate = options.learning_rate,
          .weight_prior = options.weight_prior,
          .weight_decay = options.weight_decay,
          .max_gradient_norm = options.max_gradient_norm,
          .adam = solver == Solver::kAdam,
          .adam_factor = corrections.factor(options.adam_epsilon)};
}

void check_step(const StepVerdict& verdict, const StepSums& sums, int64_t images, StepResult& result) {
  result.loss = verdict.loss;
  result.loss_multinomial_logistic = verdict.loss_multinomial_logistic;
  result.loss_regularization = verdict.loss_regularization;
  result.gradient_norm = verdict.gradient_norm;
  result.top1_error = static_cast<double>(sums.errors) / static_cast<double>(images);
  if (verdict.sound) return;
  const std::string loss = std::to_string(verdict.loss), norm = std::to_string(verdict.gradient_norm);
  throw Error(Reason::kStepDiverged, "loss " + loss + " with a gradient norm of " + norm + ": the step was not applied",
              {{"loss", loss}, {"gradient_norm", norm}});
}

}  // namespace dl
