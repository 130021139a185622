#include "cpu/model.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "engine/check_step.h"
#include "engine/error.h"

namespace dl::cpu {
namespace {

class Stopwatch {
 public:
  /// Seconds since the last call, or since the beginning.
  double lap() {
    const auto now = std::chrono::steady_clock::now();
    return std::chrono::duration<double>(now - std::exchange(last_, now)).count();
  }

 private:
  std::chrono::steady_clock::time_point last_ = std::chrono::steady_clock::now();
};

int64_t value_bytes(const ParameterLayout& layout) { return layout.size() * static_cast<int64_t>(sizeof(float)); }

}  // namespace

int64_t parameter_bytes(const ParameterLayout& layout, const Graph& graph, Solver solver) {
  return value_bytes(layout) + SolverState::bytes_of(layout, graph, solver);
}

CpuModel::CpuModel(const Graph& graph, Solver solver, uint64_t seed)
    : graph_(graph),
      layout_(graph),
      parameters_(value_bytes(layout_)),
      state_(std::make_unique<SolverState>(layout_, graph, solver)),
      seed_(seed) {}

int64_t CpuModel::memory_bytes() const {
  int64_t bytes = value_bytes(layout_) + state_->bytes();
  for (const auto* plan : {&training_plan_, &inference_plan_}) {
    if (*plan && (*plan)->allocated()) bytes += (*plan)->bytes();
  }
  return bytes;
}

void CpuModel::release_plans() {
  training_plan_.reset();
  inference_plan_.reset();
}

void CpuModel::set_solver(Solver solver) { state_ = std::make_unique<SolverState>(layout_, graph_, solver); }

Plan& CpuModel::plan(PlanOptions options, bool training) {
  std::unique_ptr<Plan>& place = training ? training_plan_ : inference_plan_;
  if (!training) options.frozen_layers.clear();
  if (!place || !(place->options() == options)) {
    place.reset();  // before the new one takes its memory
    place = std::make_unique<Plan>(graph_, layout_, options, training);
  }
  try {
    place->allocate();
  } catch (const Error&) {
    place.reset();
    throw;
  }
  return *place;
}

StepResult CpuModel::train(const ImageBatch& images, std::span<const int32_t> labels, const TrainOptions& options) {
  Stopwatch stopwatch;
  StepResult result;
  Plan& plan = this->plan(options.plan, true);
  plan.load_weights(values(), version_);
  std::copy(values() + layout_.trained_size(), values() + layout_.size(), plan.next_statistics() + layout_.trained_size());

  StepSums sums;
  for (int64_t first = 0; first < images.count; first += options.plan.batch_size) {
    SubBatch batch;
    batch.images = images.slice(first, options.plan.batch_size, graph_.input());
    batch.labels = labels.subspan(static_cast<size_t>(first), static_cast<size_t>(options.plan.batch_size));
    batch.class_weights = options.class_weights;
    batch.images_before = first;
    batch.step_images = images.count;
    batch.accumulate = first > 0;
    batch.seed = seed_;
    batch.step = options.step;
    batch.values = values();
    batch.gradients = plan.gradients();
    batch.next_statistics = plan.next_statistics();
    batch.profile = options.profile;
    plan.forward(batch);
    result.forward_seconds += stopwatch.lap();
    plan.backward(batch);
    result.backward_seconds += stopwatch.lap();
    sums.loss += batch.loss;
    sums.errors += batch.errors;
  }

  const UpdateNorms norms = kernels().update_norms(plan.segments(), plan.gradients(), values(),
                                                   static_cast<float>(options.weight_prior), plan.segment_scratch());
  sums.squared_gradient_norm = norms.squared_gradient_norm;
  sums.squared_weight_norm = norms.squared_weight_norm;
  const float* statistics = plan.next_statistics();
  for (int64_t i = layout_.trained_size(); i < layout_.size(); ++i)
    sums.squared_statistics += static_cast<double>(statistics[i]) * static_cast<double>(statistics[i]);
  AdamCorrections corrections;
  if (state_->solver() == Solver::kAdam) corrections = adam_corrections(graph_, state_->updates(), options);
  const StepVerdict verdict = judge(sums, step_rule(options, images.count, state_->solver(), corrections));
  check_step(verdict, sums, images.count, result);
  update(plan, options, verdict.gradient_scale, corrections);
  result.update_seconds = stopwatch.lap();
  return result;
}

void CpuModel::update(const Plan& plan, const TrainOptions& options, double gradient_scale, const AdamCorrections& corrections) {
  const auto keep = static_cast<float>(1 - options.learning_rate * options.weight_decay);
  const auto prior = static_cast<float>(options.weight_prior);
  if (state_->solver() == Solver::kSgd) {
    kernels().sgd_update(plan.segments(), {.gradients = plan.gradients(),
                                           .values = values(),
                                           .velocities = state_->first(),
                                           .learning_rate = static_cast<float>(options.learning_rate * gradient_scale),
                                           .momentum = static_cast<float>(options.momentum),
                                           .weight_prior = prior,
                                           .keep = keep});
  } else {
    kernels().adam_update(plan.segments(), {.gradients = plan.gradients(),
                                            .values = values(),
                                            .first_moments = state_->first(),
                                            .second_moments = state_->second(),
                                            .step = corrections.step,
                                            .root = corrections.root,
                                            .gradient_scale = static_cast<float>(gradient_scale),
                                            .one_minus_beta1 = static_cast<float>(1 - options.adam_beta1),
                                            .one_minus_beta2 = static_cast<float>(1 - options.adam_beta2),
                                            .epsilon = static_cast<float>(options.adam_epsilon),
                                            .weight_prior = prior,
                                            .keep = keep});
    for (size_t t = 0; t < corrections.updates.size(); ++t)
      if (corrections.updates[t] > 0) state_->updates()[t] = corrections.updates[t];
  }
  std::copy(plan.next_statistics() + layout_.trained_size(), plan.next_statistics() + layout_.size(),
            values() + layout_.trained_size());
  ++version_.steps;
}

void CpuModel::apply(const ImageBatch& images, const PlanOptions& options, std::span<float> confidences) {
  Plan& plan = this->plan(options, false);
  plan.load_weights(values(), version_);
  const int64_t classes = graph_.classes();
  std::vector<float> sub_batch_confidences(static_cast<size_t>(options.batch_size * classes));
  std::vector<std::byte> padded;
  for (int64_t first = 0; first < images.count; first += options.batch_size) {
    const int64_t count = std::min(options.batch_size, images.count - first);
    SubBatch batch;
    batch.images = images.slice(first, count, graph_.input());
    if (count < options.batch_size) {
      // The last sub-batch is padded with zeros; images do not see each other, so that the others' results do not change.
      const int64_t bytes = images.image_bytes(graph_.input());
      padded.resize(static_cast<size_t>(options.batch_size * bytes));
      for (int64_t n = 0; n < count; ++n) std::copy_n(batch.images.image(n, graph_.input()), bytes, padded.begin() + n * bytes);
      batch.images = {images.format, options.batch_size, padded};
    }
    batch.values = values();
    batch.confidences = sub_batch_confidences.data();
    plan.forward(batch);
    std::copy_n(sub_batch_confidences.begin(), count * classes, confidences.begin() + first * classes);
  }
}

std::span<float> CpuModel::values(int tensor, TensorRole role) const {
  if (is_solver_role(role)) return state_->values(role, tensor);
  return {values() + layout_.offset(tensor), static_cast<size_t>(graph_.tensors()[static_cast<size_t>(tensor)].size())};
}

std::vector<float> CpuModel::read(int tensor, TensorRole role) const {
  const std::span<float> source = values(tensor, role);
  return {source.begin(), source.end()};
}

void CpuModel::write(int tensor, TensorRole role, const std::function<void(std::span<float>)>& fill) {
  fill(values(tensor, role));
  if (!is_solver_role(role)) ++version_.restorations;
}

}  // namespace dl::cpu
