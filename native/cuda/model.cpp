#include "cuda/model.h"

#include <algorithm>
#include <cstring>
#include <thread>
#include <utility>

#include "cuda/device.h"
#include "cuda/runtime/error.h"
#include "engine/check_step.h"
#include "engine/upcoming_batches.h"

namespace dl::cuda {

CudaModel::CudaModel(CudaDevice& device, const Graph& graph, Solver solver, uint64_t seed)
    : device_(device), graph_(graph), seed_(seed), parameters_(graph, solver, device.handles(), device.transfer()) {}

CudaModel::~CudaModel() {
  // What is on its way to the plan's memory arrives before that is gone. Fails only where the device is lost.
  cudaStreamSynchronize(device_.handles().copy());
}

int64_t CudaModel::memory_bytes() const {
  int64_t bytes = parameters_.bytes();
  for (const auto* plan : {&training_plan_, &inference_plan_}) {
    if (*plan && (*plan)->allocated()) bytes += (*plan)->bytes();
  }
  return bytes;
}

Plan& CudaModel::plan(PlanOptions options, bool training) {
  std::unique_ptr<Plan>& place = training ? training_plan_ : inference_plan_;
  if (!training) options.frozen_layers.clear();
  if (place && place->allocated() && place->options() == options) return *place;
  release(training);  // before the new one takes its memory
  auto next = std::make_unique<Plan>(graph_, parameters_.layout(), options, training, device_.target());
  next->allocate(device_.handles(), parameters_.memory(), device_.target());
  place = std::move(next);
  return *place;
}

void CudaModel::release(bool training) {
  if (training) {
    device_.handles().copy().synchronize();
    fetched_.reset();
    step_.reset();
    training_refreshed_.reset();
    training_plan_.reset();
  } else {
    apply_.reset();
    inference_refreshed_.reset();
    inference_plan_.reset();
  }
}

void CudaModel::release_plans() {
  device_.guarded([&] {
    for (const bool training : {true, false}) release(training);
  });
}

void CudaModel::prepare(const PlanOptions& options, bool training) {
  device_.guarded([&] { plan(options, training); });
}

void CudaModel::set_solver(Solver solver) {
  device_.guarded([&] {
    parameters_.set_solver(solver);
    step_.reset();
  });
}

void CudaModel::refresh(Plan& plan, std::optional<Version>& refreshed, bool training) {
  // A training plan's own steps keep its copies up to date, and its frozen layers do not change by them.
  const bool current = refreshed && refreshed->restorations == version_.restorations && (training || *refreshed == version_);
  if (!current) plan.refresh();
  refreshed = version_;
}

void CudaModel::fetch(const Plan& plan, const ImageBatch& images) {
  const Stream& copy = device_.handles().copy();
  converted_.hold(copy);
  if (images.images.empty()) {
    device_.transfer().upload(images.pixels.data(), plan.pixels(), static_cast<int64_t>(images.pixels.size()), copy);
  } else {
    device_.transfer().upload(images.images, plan.pixels(), copy);
  }
  arrived_.record(copy);
}

void CudaModel::convert(const Plan& plan, const ImageBatch& images) {
  const Stream& compute = device_.handles().compute();
  arrived_.hold(compute);
  plan.convert(plan.pixels(), images.format, 0, images.count);
  converted_.record(compute);
}

void CudaModel::fetch_upcoming(const Plan& plan, UpcomingBatches& upcoming) {
  const int64_t images = plan.options().batch_size;
  while (!device_.handles().compute().idle()) {
    const std::optional<UpcomingBatches::Held> next = upcoming.next();
    if (next && next->images.hold(images, graph_.input())) {
      try {
        fetch(plan, next->images.slice(0, images, graph_.input()));
        fetched_ = {next->images.id, next->images.format};
      } catch (const Error& error) {
        // The step under way does not need it, and the batch's own step fetches it again.
        if (error.reason() == Reason::kDeviceLost) throw;
      }
      return;
    }
    std::this_thread::yield();
  }
}

void CudaModel::upload_inputs(const Plan& plan, std::span<const int32_t> labels, const TrainOptions& options,
                              const StepRule& rule, int64_t images_before) {
  const StepInputs inputs{.rule = rule,
                          .momentum = options.momentum,
                          .adam_beta1 = options.adam_beta1,
                          .adam_beta2 = options.adam_beta2,
                          .adam_epsilon = options.adam_epsilon,
                          .seed = seed_,
                          .step = options.step,
                          .images_before = images_before,
                          .accumulate = images_before > 0};
  const Stream& stream = device_.handles().compute();
  device_.transfer().upload(&inputs, plan.inputs(), sizeof inputs, stream);
  device_.transfer().upload(labels.data(), plan.labels(), static_cast<int64_t>(labels.size_bytes()), stream);
}

StepResult CudaModel::train(const ImageBatch& images, std::span<const int32_t> labels, const TrainOptions& options) {
  return device_.guarded([&] {
    Plan& plan = this->plan(options.plan, true);
    const Handles& handles = device_.handles();
    if (!step_) step_ = std::make_unique<StepGraphs>(plan, handles, parameters_.memory());
    refresh(plan, training_refreshed_, true);

    AdamCorrections corrections;
    if (parameters_.solver() == Solver::kAdam) {
      corrections = adam_corrections(graph_, parameters_.updates(), options);
      const auto bytes = static_cast<int64_t>(corrections.step.size() * sizeof(float));
      device_.transfer().upload(corrections.step.data(), plan.adam_step(), bytes, handles.compute());
      device_.transfer().upload(corrections.root.data(), plan.adam_root(), bytes, handles.compute());
    }
    std::vector<double> class_weights = options.class_weights;
    class_weights.resize(static_cast<size_t>(graph_.classes()), 1.0);
    device_.transfer().upload(class_weights.data(), plan.class_weights(),
                              static_cast<int64_t>(class_weights.size() * sizeof(double)), handles.compute());
    const StepRule rule = step_rule(options, images.count, parameters_.solver(), corrections);

    StepResult result;
    const int64_t size = options.plan.batch_size;
    const std::optional<Fetched> fetched = std::exchange(fetched_, std::nullopt);
    const bool first_is_there = fetched && fetched->id == images.id && fetched->format == images.format;
    const auto send = [&](int64_t first) {
      const ImageBatch part = images.slice(first, size, graph_.input());
      // Pixels first: what goes down the compute stream holds its pinned memory until the sub-batch before has been computed.
      if (first > 0 || !first_is_there) fetch(plan, part);
      upload_inputs(plan, labels.subspan(static_cast<size_t>(first), static_cast<size_t>(size)), options, rule, first);
      convert(plan, part);
    };
    send(0);
    for (int64_t first = 0; first < images.count; first += size) {
      const bool last = first + size == images.count;
      step_->run(first == 0, last, options.profile);
      // While the device computes:
      if (!last) {
        send(first + size);
      } else if (options.upcoming != nullptr) {
        fetch_upcoming(plan, *options.upcoming);
      }
      step_->wait(result);
    }
    check_step(step_->report().verdict, step_->report().sums, images.count, result);
    for (size_t t = 0; t < corrections.updates.size(); ++t)
      if (corrections.updates[t] > 0) parameters_.updates()[t] = corrections.updates[t];
    ++version_.steps;
    return result;
  });
}

void CudaModel::apply(const ImageBatch& images, const PlanOptions& options, std::span<float> confidences) {
  device_.guarded([&] {
    Plan& plan = this->plan(options, false);
    const Stream& stream = device_.handles().compute();
    refresh(plan, inference_refreshed_, false);
    const int64_t classes = graph_.classes();
    for (int64_t first = 0; first < images.count; first += options.batch_size) {
      // Images do not see each other: what a short last sub-batch leaves of the one before is computed and dropped.
      const int64_t count = std::min(options.batch_size, images.count - first);
      const ImageBatch part = images.slice(first, count, graph_.input());
      fetch(plan, part);
      convert(plan, part);
      apply_.run(stream, [&](bool /*captured*/) { plan.forward(); });
      device_.transfer().download(plan.confidences(), confidences.data() + first * classes,
                                  count * classes * static_cast<int64_t>(sizeof(float)), stream);
    }
  });
}

std::vector<float> CudaModel::read(int tensor, TensorRole role) const {
  return device_.guarded([&] { return parameters_.read(tensor, role); });
}

void CudaModel::write(int tensor, TensorRole role, const std::function<void(std::span<float>)>& fill) {
  device_.guarded([&] { parameters_.write(tensor, role, fill); });
  if (!is_solver_role(role)) ++version_.restorations;
}

}  // namespace dl::cuda
