#include "cuda/plan.h"

#include <algorithm>

#include "cuda/layer_laps.h"
#include "cuda/runtime/error.h"

namespace dl::cuda {
namespace {

std::vector<ParameterSegment> parameter_segments(const Graph& graph, const ParameterLayout& parameters,
                                                 const PlanOptions& options) {
  std::vector<ParameterSegment> segments;
  for (size_t t = 0; t < graph.tensors().size(); ++t) {
    const TensorInfo& tensor = graph.tensors()[t];
    if (tensor.role == TensorRole::kStatistic) continue;
    const int64_t offset = parameters.offset(static_cast<int>(t));
    for (int64_t done = 0; done < tensor.size(); done += kSegmentValues) {
      segments.push_back({.offset = offset + done,
                          .length = static_cast<int32_t>(std::min<int64_t>(kSegmentValues, tensor.size() - done)),
                          .tensor = static_cast<int32_t>(t),
                          .regularized = tensor.role == TensorRole::kWeight,
                          .frozen = is_frozen(options, tensor.layer)});
    }
  }
  return segments;
}

template <class T>
BufferId add_array(PlanBuilder& builder, int64_t count) {
  return builder.arena().add_persistent(count * static_cast<int64_t>(sizeof(T)));
}

}  // namespace

void Pass::end_weights() const {
  if (laps != nullptr) laps->lap(&LayerSeconds::weights);
}

Plan::Plan(const Graph& graph, const ParameterLayout& parameters, const PlanOptions& options, bool training, Target& target)
    : parameters_(parameters), options_(options), images_(options.batch_size) {
  if (training) segments_ = parameter_segments(graph, parameters, options);
  PlanBuilder builder(graph, parameters, options, training, target);
  const int count = static_cast<int>(builder.operations().size());
  for (int k = 0; k < count; ++k) {
    builder.begin(k, false);
    const FusedOperation& operation = builder.operations()[static_cast<size_t>(k)];
    layers_.push_back(builder.node(operation.node).name);
    if (std::holds_alternative<Input>(builder.node(operation.node).kind)) {
      auto input = make_input_operation(builder, operation);
      input_ = input.get();
      operations_.push_back(std::move(input));
    } else {
      operations_.push_back(make_operation(builder, operation));
    }
  }
  for (int k = count - 1; k >= 0; --k) {
    if (!builder.runs_backward(k)) continue;
    builder.begin(k, true);
    backward_operations_.push_back(static_cast<size_t>(k));
    operations_[static_cast<size_t>(k)]->plan_backward(builder);
  }
  add_persistent(builder);
  builder.arena().assign();
  arena_ = std::move(builder.arena());
}

void Plan::add_persistent(PlanBuilder& builder) {
  const Graph& graph = builder.graph();
  if (builder.type() == DataType::kBfloat16) copies_ = add_array<Bfloat16>(builder, parameters_.trained_size());
  pixel_bytes_ = images_ * graph.input().size() * static_cast<int64_t>(sizeof(float));
  pixels_ = add_array<std::byte>(builder, pixel_bytes_);
  if (builder.training()) {
    const auto tensors = static_cast<int64_t>(graph.tensors().size());
    gradients_ = add_array<float>(builder, parameters_.size());
    segment_buffer_ = add_array<ParameterSegment>(builder, static_cast<int64_t>(segments_.size()));
    inputs_ = add_array<StepInputs>(builder, 1);
    report_ = add_array<StepReport>(builder, 1);
    labels_ = add_array<int32_t>(builder, images_);
    class_weights_ = add_array<double>(builder, graph.classes());
    adam_step_ = add_array<float>(builder, tensors);
    adam_root_ = add_array<float>(builder, tensors);
    norms_ = builder.reduction(norms_reduction_size(static_cast<int64_t>(segments_.size())));
  } else {
    confidences_ = add_array<float>(builder, images_ * graph.classes());
  }
  counters_ = builder.add_counters();
}

void Plan::allocate(const Handles& handles, const ModelMemory& model, Target& target) {
  if (allocated()) return;
  memory_ = DeviceMemory(bytes());
  pass_ = {.handles = &handles,
           .values = model.values,
           .copies = at<Bfloat16>(copies_),
           .gradients = at<float>(gradients_),
           .next_statistics = at<float>(gradients_),
           .inputs = inputs(),
           .report = report(),
           .labels = labels(),
           .class_weights = class_weights(),
           .confidences = confidences()};
  if (!segments_.empty()) {
    upload(at<ParameterSegment>(segment_buffer_), segments_.data(),
           static_cast<int64_t>(segments_.size() * sizeof(ParameterSegment)));
  }
  try {
    const Arena arena{&arena_, memory_.data(), counters_};
    for (const auto& operation : operations_) operation->bind(arena, pass_, target);
  } catch (const Error& error) {
    memory_ = DeviceMemory();
    if (error.reason() != Reason::kOutOfMemory) throw;
    throw out_of_memory(bytes(), kBytesBesidePlans);
  } catch (...) {
    memory_ = DeviceMemory();
    throw;
  }
}

void Plan::refresh() {
  if (pass_.copies != nullptr)
    check(cast(pass_.launch(), parameters_.trained_size(), pass_.values, at<Bfloat16>(copies_)), "copying weights");
  for (const auto& operation : operations_) operation->refresh(pass_);
}

void Plan::convert(const void* pixels, PixelFormat format, int64_t first, int64_t images) const {
  input_->convert(pass_, pixels, format, first, images);
}

void Plan::begin_step() const {
  const int64_t first = parameters_.trained_size();
  const auto bytes = static_cast<size_t>(parameters_.size() - first) * sizeof(float);
  if (bytes == 0) return;  // no batch norm: an empty copy has no place in a graph
  check(cudaMemcpyAsync(pass_.next_statistics + first, pass_.values + first, bytes, cudaMemcpyDeviceToDevice,
                        pass_.launch().stream),
        "copying statistics");
}

void Plan::forward() const {
  for (size_t k = 0; k < operations_.size(); ++k) {
    if (pass_.laps != nullptr) pass_.laps->enter(k);
    operations_[k]->forward(pass_);
    if (pass_.laps != nullptr) pass_.laps->lap(&LayerSeconds::forward);
  }
}

void Plan::backward(bool accumulate) {
  pass_.accumulate = accumulate;
  for (const size_t k : backward_operations_) {
    if (pass_.laps != nullptr) pass_.laps->enter(k);
    operations_[k]->backward(pass_);
    if (pass_.laps != nullptr) pass_.laps->lap(&LayerSeconds::backward);
  }
}

void Plan::update(const ModelMemory& model) const {
  const Launch launch = pass_.launch();
  const auto count = static_cast<int64_t>(segments_.size());
  const auto* segments = at<ParameterSegment>(segment_buffer_);
  const Arena arena{&arena_, memory_.data(), counters_};
  const int64_t first = parameters_.trained_size(), statistics = parameters_.size() - first;
  check(update_norms(launch, {.segments = count,
                              .segment = segments,
                              .gradients = pass_.gradients,
                              .values = model.values,
                              .inputs = inputs(),
                              .report = report(),
                              .scratch = arena.scratch(norms_),
                              .statistics = pass_.next_statistics + first,
                              .statistics_size = statistics}),
        "norms");
  if (model.solver == Solver::kSgd) {
    check(sgd_update(launch, {.segments = count,
                              .segment = segments,
                              .inputs = inputs(),
                              .report = report(),
                              .gradients = pass_.gradients,
                              .values = model.values,
                              .velocities = model.first_moments,
                              .copies = at<Bfloat16>(copies_)}),
          "an update");
  } else {
    check(adam_update(launch, {.segments = count,
                               .segment = segments,
                               .inputs = inputs(),
                               .report = report(),
                               .gradients = pass_.gradients,
                               .values = model.values,
                               .first_moments = model.first_moments,
                               .second_moments = model.second_moments,
                               .step = adam_step(),
                               .root = adam_root(),
                               .copies = at<Bfloat16>(copies_)}),
          "an update");
  }
  check(commit_statistics(launch, statistics, pass_.next_statistics + first, model.values + first, report()), "statistics");
}

}  // namespace dl::cuda
