#include "test/training_run.h"

#include <doctest/doctest.h>

#include <cmath>

#include "test/device.h"
#include "test/model_tensors.h"

namespace dl::test {

TrainingRun::TrainingRun(const std::vector<Layer>& layers, ImageShape input, int64_t batch_size, Solver solver, uint64_t seed)
    : model_(device(), layers, input, seed), batch_size_(batch_size), seed_(seed) {
  model_.set_solver(solver);
  Random random(seed);
  randomize(model_, random);
  state_ = reference_state(model_);
}

Batch TrainingRun::batch() const {
  Random random(1000 * seed_ + step_);
  return random_batch(random, model_.graph().input(), batch_size_, model_.graph().classes(), PixelFormat::kUint8);
}

StepResult TrainingRun::step(TrainOptions options, int64_t batch_size_multiplier) {
  CAPTURE(step_);
  const Batch images = batch();
  options.plan.batch_size = batch_size_ / batch_size_multiplier;
  options.batch_size_multiplier = batch_size_multiplier;
  options.step = step_;
  const reference::TrainingResult expected = reference::train_step(model_.graph(), state_, images.images, images.labels,
                                                                   {.batch_size = options.plan.batch_size,
                                                                    .batch_size_multiplier = batch_size_multiplier,
                                                                    .learning_rate = options.learning_rate,
                                                                    .momentum = options.momentum,
                                                                    .weight_prior = options.weight_prior,
                                                                    .seed = seed_,
                                                                    .step = step_,
                                                                    .adam = !state_.first_moment.empty(),
                                                                    .adam_beta1 = options.adam_beta1,
                                                                    .adam_beta2 = options.adam_beta2,
                                                                    .adam_epsilon = options.adam_epsilon,
                                                                    .weight_decay = options.weight_decay,
                                                                    .max_gradient_norm = options.max_gradient_norm,
                                                                    .class_weights = options.class_weights,
                                                                    .frozen_layers = options.plan.frozen_layers});
  const StepResult result = model_.train(images.view(), images.labels, options);
  ++step_;
  CHECK(result.loss == doctest::Approx(expected.loss).epsilon(1e-5));
  CHECK(result.loss_multinomial_logistic == doctest::Approx(expected.loss_multinomial_logistic).epsilon(1e-5));
  CHECK(result.loss_regularization == doctest::Approx(expected.loss_regularization).epsilon(1e-5));
  CHECK(result.gradient_norm == doctest::Approx(expected.gradient_norm).epsilon(1e-4));
  CHECK(result.top1_error == doctest::Approx(expected.top1_error));
  return result;
}

void TrainingRun::check_agreement(double values, double state) const {
  const reference::TrainingState trained = reference_state(model_);
  CHECK(relative_distance(trained.values, state_.values) < values);
  CHECK(relative_distance(trained.momentum, state_.momentum) < state);
  CHECK(relative_distance(trained.first_moment, state_.first_moment) < state);
  CHECK(relative_distance(trained.second_moment, state_.second_moment) < state);
  CHECK(trained.updates == state_.updates);
}

double relative_distance(const reference::Parameters& a, const reference::Parameters& b) {
  REQUIRE(a.size() == b.size());
  double difference = 0;
  double size = 0;
  for (size_t t = 0; t < b.size(); ++t)
    for (size_t i = 0; i < b[t].size(); ++i) {
      difference += std::pow(a[t][i] - b[t][i], 2);
      size += b[t][i] * b[t][i];
    }
  return std::sqrt(size > 0 ? difference / size : difference);
}

}  // namespace dl::test
