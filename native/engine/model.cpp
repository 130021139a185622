#include "engine/model.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <functional>
#include <map>
#include <numeric>
#include <utility>

#include "cpu/plan.h"
#include "engine/error.h"
#include "engine/initialization.h"
#include "engine/parameters.h"
#include "engine/update.h"

namespace dl {
namespace {

constexpr float kLowestPixel = -127.0f;
constexpr float kHighestPixel = 128.0f;

/// So that with a learning rate of any use no step of Adam is beyond what engine/update.cpp allows.
constexpr double kSmallestAdamEpsilon = 1e-15;

/// Values of one layer's output for a whole batch. No machine holds more, and below it no sum of sizes overflows.
constexpr int64_t kLargestActivation = int64_t{1} << 44;

[[noreturn]] void refuse(const std::string& argument, const std::string& problem) {
  throw Error(Reason::kInvalidArgument, argument + ": " + problem, {{"argument", argument}});
}

void check(const TrainOptions& options) {
  const auto require = [](bool condition, const char* argument, const char* rule, double got) {
    if (!condition) refuse(argument, std::string(rule) + ", got " + std::to_string(got));
  };
  require(options.batch_size_multiplier >= 1, "batch_size_multiplier", "is at least 1",
          static_cast<double>(options.batch_size_multiplier));
  require(options.learning_rate > 0 && std::isfinite(options.learning_rate), "learning_rate", "is above 0 and finite",
          options.learning_rate);
  require(options.momentum >= 0 && options.momentum < 1, "momentum", "lies in 0..1, 1 excluded", options.momentum);
  require(options.weight_prior >= 0 && std::isfinite(options.weight_prior), "weight_prior", "is at least 0 and finite",
          options.weight_prior);
  require(options.weight_decay >= 0 && std::isfinite(options.weight_decay), "weight_decay", "is at least 0 and finite",
          options.weight_decay);
  require(options.adam_beta1 >= 0 && options.adam_beta1 < 1, "adam_beta1", "lies in 0..1, 1 excluded", options.adam_beta1);
  require(options.adam_beta2 >= 0 && options.adam_beta2 < 1, "adam_beta2", "lies in 0..1, 1 excluded", options.adam_beta2);
  require(options.adam_epsilon >= kSmallestAdamEpsilon && std::isfinite(options.adam_epsilon), "adam_epsilon",
          "is at least 1e-15 and finite", options.adam_epsilon);
  require(options.max_gradient_norm >= 0 && std::isfinite(options.max_gradient_norm), "max_gradient_norm",
          "is at least 0 and finite", options.max_gradient_norm);
  for (const double weight : options.class_weights)
    require(weight >= 0 && std::isfinite(weight), "class_weights", "are at least 0 and finite", weight);
}

void check(const PlanOptions& options, const Graph& graph) {
  if (options.batch_size < 1) refuse("batch_size", "is at least 1, got " + std::to_string(options.batch_size));
  for (const std::string& name : options.frozen_layers) {
    const auto& nodes = graph.nodes();
    const bool known = std::any_of(nodes.begin(), nodes.end(), [&](const Graph::Node& node) { return node.name == name; });
    if (!known) refuse("frozen_layers", "the graph has no layer '" + name + "'");
  }
  for (const Graph::Node& node : graph.nodes()) {
    if (options.batch_size <= kLargestActivation / node.shape.size()) continue;
    const std::string bytes = std::to_string(kLargestActivation * static_cast<int64_t>(sizeof(float)));
    throw Error(Reason::kOutOfMemory, "the output of '" + node.name + "' alone wants more than " + bytes + " bytes",
                {{"bytes", bytes}});
  }
}

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

int64_t pixel_bytes(PixelFormat format) { return format == PixelFormat::kUint8 ? 1 : 4; }

/// The images [first, first + count) of a batch.
ImageBatch slice(const ImageBatch& images, int64_t first, int64_t count, const ImageShape& shape) {
  const int64_t image = shape.size() * pixel_bytes(images.format);
  return {images.format, count, images.pixels.subspan(static_cast<size_t>(first * image), static_cast<size_t>(count * image))};
}

std::string text(double value) { return std::to_string(value); }

bool is_solver_role(TensorRole role) {
  return role != TensorRole::kWeight && role != TensorRole::kBias && role != TensorRole::kStatistic;
}

/// Whether a tensor to restore fits the graph's tensor of its name; `solver` is the one whose state may be restored.
void check(const NamedTensor& tensor, const TensorInfo& info, Solver solver) {
  std::vector<int64_t> shape = info.shape;
  if (is_solver_role(tensor.role)) {
    const auto parts = parts_of(solver);
    const auto part = std::find_if(parts.begin(), parts.end(), [&](const SolverPart& p) { return p.role == tensor.role; });
    if (part == parts.end()) refuse(tensor.name, "the solver keeps no such state");
    if (info.role == TensorRole::kStatistic) refuse(tensor.name, "the graph's tensor is not trained and has no such state");
    if (part->scalar) shape.clear();
  } else if (info.role != tensor.role) {
    refuse(tensor.name, "the graph's tensor has another role");
  }
  const auto size = static_cast<size_t>(std::accumulate(shape.begin(), shape.end(), int64_t{1}, std::multiplies<>()));
  if (shape != tensor.shape || tensor.values.size() != size) refuse(tensor.name, "the graph's tensor has another shape");
  for (const float value : tensor.values)
    if (!SolverState::allows(tensor.role, value))
      refuse(tensor.name, "no step of the solver leaves " + text(static_cast<double>(value)));
}

}  // namespace

/// A graph with its values and the plans compiled for it.
struct Model::State {
  State(const std::vector<Layer>& layers, ImageShape input, uint64_t model_seed, Solver solver_kind)
      : graph(layers, input), layout(graph), parameters(layout), solver(layout, graph, solver_kind), seed(model_seed) {
    for (size_t t = 0; t < graph.tensors().size(); ++t) {
      initialize(graph.tensors()[t], seed, tensor_values(static_cast<int>(t)));
    }
  }

  std::span<float> tensor_values(int tensor) {
    return {parameters.values().data() + layout.offset(tensor),
            static_cast<size_t>(graph.tensors()[static_cast<size_t>(tensor)].size())};
  }
  /// The values of a tensor of the graph, or of a part of the solver's state that belongs to it.
  std::span<float> tensor_values(int tensor, TensorRole role) {
    return is_solver_role(role) ? solver.values(role, tensor) : tensor_values(tensor);
  }

  /// The plan of these options, with memory. Replaces the one of other options.
  cpu::Plan& plan(std::unique_ptr<cpu::Plan>& place, PlanOptions options, bool training) {
    dl::check(options, graph);
    if (!training) options.frozen_layers.clear();
    if (!place || !(place->options() == options)) {
      place.reset();  // before the new one takes its memory
      place = std::make_unique<cpu::Plan>(graph, layout, options, training);
    }
    try {
      place->allocate();
    } catch (const Error&) {
      place.reset();
      throw;
    }
    return *place;
  }

  void check(const ImageBatch& images) const {
    const int64_t image_bytes = graph.input().size() * pixel_bytes(images.format);
    const auto bytes = static_cast<int64_t>(images.pixels.size());
    if (images.count < 1) refuse("images", "at least one is wanted");
    if (bytes % image_bytes != 0 || bytes / image_bytes != images.count) {
      refuse("images", std::to_string(images.count) + " of " + std::to_string(image_bytes) + " bytes are wanted, got " +
                           std::to_string(bytes) + " bytes");
    }
    if (images.format == PixelFormat::kUint8) return;
    const auto* pixels = reinterpret_cast<const float*>(images.pixels.data());
    const cpu::PixelFault fault =
        cpu::kernels().find_pixel_fault(pixels, images.count, graph.input().size(), kLowestPixel, kHighestPixel);
    if (fault.image < 0) return;
    throw Error(Reason::kImageOutOfRange,
                "image " + std::to_string(fault.image) + " holds the value " + text(static_cast<double>(fault.value)) +
                    ", outside -127..128",
                {{"image", std::to_string(fault.image)}, {"value", text(static_cast<double>(fault.value))}});
  }

  int64_t parameter_bytes() const { return parameters.bytes() + solver.bytes(); }

  void apply(Update& update, const cpu::Plan& plan) {
    update.apply(parameters.values());
    const auto first_statistic = static_cast<size_t>(layout.trained_size());
    std::copy(plan.next_statistics() + first_statistic, plan.next_statistics() + parameters.values().size(),
              parameters.values().begin() + static_cast<std::ptrdiff_t>(first_statistic));
    ++version.steps;
  }

  Graph graph;
  ParameterLayout layout;
  ParameterStore parameters;
  SolverState solver;
  cpu::ValuesVersion version;
  uint64_t seed;
  std::unique_ptr<cpu::Plan> training_plan;
  std::unique_ptr<cpu::Plan> inference_plan;
};

Model::Model(const std::vector<Layer>& layers, ImageShape input, uint64_t seed)
    : state_(std::make_unique<State>(layers, input, seed, Solver::kSgd)) {}

Model::~Model() = default;

const Graph& Model::graph() const { return state_->graph; }

int64_t Model::memory_bytes() const {
  int64_t bytes = state_->parameter_bytes();
  for (const auto* plan : {&state_->training_plan, &state_->inference_plan}) {
    if (*plan && (*plan)->allocated()) bytes += (*plan)->bytes();
  }
  return bytes;
}

MemoryPlan plan_memory(const Graph& graph, const PlanOptions& options, Solver solver) {
  check(options, graph);
  const ParameterLayout layout(graph);
  const cpu::Plan training(graph, layout, options, true);
  const cpu::Plan inference(graph, layout, options, false);
  return {ParameterStore::bytes_of(layout) + SolverState::bytes_of(layout, graph, solver), training.bytes(), inference.bytes()};
}

MemoryPlan Model::plan_memory(const PlanOptions& options) const {
  return dl::plan_memory(state_->graph, options, state_->solver.solver());
}

void Model::prepare(const PlanOptions& options) {
  state_->plan(state_->training_plan, options, true);
  state_->plan(state_->inference_plan, options, false);
}

void Model::set_solver(Solver solver) {
  if (solver == state_->solver.solver()) return;
  state_->solver = SolverState(state_->layout, state_->graph, solver);
}

StepResult Model::train(const ImageBatch& images, std::span<const int32_t> labels, const TrainOptions& options) {
  State& state = *state_;
  const int64_t sub_batch_size = options.plan.batch_size;
  check(options);
  check(options.plan, state.graph);
  if (images.count % sub_batch_size != 0 || images.count / sub_batch_size != options.batch_size_multiplier) {
    refuse("images", std::to_string(sub_batch_size) + " times " + std::to_string(options.batch_size_multiplier) +
                         " are wanted, got " + std::to_string(images.count));
  }
  if (static_cast<int64_t>(labels.size()) != images.count) refuse("labels", "one an image is wanted");
  for (const int32_t label : labels) {
    if (label < 0 || label >= state.graph.classes()) refuse("labels", std::to_string(label) + " is no class");
  }
  if (!options.class_weights.empty() && static_cast<int64_t>(options.class_weights.size()) != state.graph.classes()) {
    refuse("class_weights", "one a class, " + std::to_string(state.graph.classes()) + ", or none are wanted, got " +
                                std::to_string(options.class_weights.size()));
  }
  state.check(images);

  Stopwatch stopwatch;
  StepResult result;
  cpu::Plan& plan = state.plan(state.training_plan, options.plan, true);
  plan.load_weights(state.parameters.values().data(), state.version);
  const int64_t first_statistic = state.layout.trained_size();
  std::copy(state.parameters.values().begin() + first_statistic, state.parameters.values().end(),
            plan.next_statistics() + first_statistic);

  double loss = 0;
  int64_t errors = 0;
  for (int64_t first = 0; first < images.count; first += sub_batch_size) {
    cpu::SubBatch batch;
    batch.images = slice(images, first, sub_batch_size, state.graph.input());
    batch.labels = labels.subspan(static_cast<size_t>(first), static_cast<size_t>(sub_batch_size));
    batch.class_weights = options.class_weights;
    batch.images_before = first;
    batch.step_images = images.count;
    batch.accumulate = first > 0;
    batch.seed = state.seed;
    batch.step = options.step;
    batch.values = state.parameters.values().data();
    batch.gradients = plan.gradients();
    batch.next_statistics = plan.next_statistics();
    plan.forward(batch);
    result.forward_seconds += stopwatch.lap();
    plan.backward(batch);
    result.backward_seconds += stopwatch.lap();
    loss += batch.loss;
    errors += batch.errors;
  }

  const cpu::UpdateNorms norms = cpu::kernels().update_norms(plan.segments(), plan.gradients(), state.parameters.values().data(),
                                                             static_cast<float>(options.weight_prior), plan.segment_scratch());
  result.loss_multinomial_logistic = loss / static_cast<double>(images.count);
  // The sum of squares may be infinite where the weights are not; without a prior it does not count.
  result.loss_regularization = options.weight_prior > 0 ? options.weight_prior / 2 * norms.squared_weight_norm : 0;
  result.loss = result.loss_multinomial_logistic + result.loss_regularization;
  result.gradient_norm = std::sqrt(norms.squared_gradient_norm);
  result.top1_error = static_cast<double>(errors) / static_cast<double>(images.count);
  Update update(plan, options, norms, state.solver);
  if (!std::isfinite(result.loss) || !update.bounded()) {
    throw Error(
        Reason::kStepDiverged,
        "loss " + text(result.loss) + " with a gradient norm of " + text(result.gradient_norm) + ": the step was not applied",
        {{"loss", text(result.loss)}, {"gradient_norm", text(result.gradient_norm)}});
  }
  state.apply(update, plan);
  result.update_seconds = stopwatch.lap();
  return result;
}

std::vector<float> Model::apply(const ImageBatch& images, const PlanOptions& options) {
  State& state = *state_;
  state.check(images);
  cpu::Plan& plan = state.plan(state.inference_plan, options, false);
  plan.load_weights(state.parameters.values().data(), state.version);

  const int64_t classes = state.graph.classes();
  std::vector<float> confidences(static_cast<size_t>(images.count * classes));
  std::vector<float> sub_batch_confidences(static_cast<size_t>(options.batch_size * classes));
  std::vector<std::byte> padded;
  for (int64_t first = 0; first < images.count; first += options.batch_size) {
    const int64_t count = std::min(options.batch_size, images.count - first);
    cpu::SubBatch batch;
    batch.images = slice(images, first, count, state.graph.input());
    if (count < options.batch_size) {
      // The last sub-batch is padded with zeros; images do not see each other, so that the others' results do not change.
      padded.assign(batch.images.pixels.begin(), batch.images.pixels.end());
      padded.resize(static_cast<size_t>(options.batch_size * state.graph.input().size() * pixel_bytes(images.format)));
      batch.images.pixels = padded;
    }
    batch.values = state.parameters.values().data();
    batch.confidences = sub_batch_confidences.data();
    plan.forward(batch);
    std::copy_n(sub_batch_confidences.begin(), count * classes, confidences.begin() + first * classes);
  }
  return confidences;
}

std::vector<NamedTensor> Model::snapshot() const {
  std::vector<NamedTensor> tensors;
  const auto& infos = state_->graph.tensors();
  const auto copy = [](std::span<const float> values) { return std::vector<float>(values.begin(), values.end()); };
  for (size_t t = 0; t < infos.size(); ++t) {
    tensors.push_back({infos[t].name, infos[t].role, infos[t].shape, copy(state_->tensor_values(static_cast<int>(t)))});
  }
  for (size_t t = 0; t < infos.size(); ++t) {
    if (infos[t].role == TensorRole::kStatistic) continue;
    for (const auto& [role, scalar] : parts_of(state_->solver.solver())) {
      const std::span<float> values = state_->solver.values(role, static_cast<int>(t));
      tensors.push_back({infos[t].name, role, scalar ? std::vector<int64_t>{} : infos[t].shape, copy(values)});
    }
  }
  return tensors;
}

void Model::restore(const std::vector<NamedTensor>& tensors) {
  const auto& infos = state_->graph.tensors();
  std::map<std::string, int> index_of;
  for (size_t t = 0; t < infos.size(); ++t) index_of[infos[t].name] = static_cast<int>(t);

  std::vector<std::span<float>> targets;
  for (const NamedTensor& tensor : tensors) {
    const auto found = index_of.find(tensor.name);
    if (found == index_of.end()) refuse(tensor.name, "the graph has no tensor of this name");
    const TensorInfo& info = infos[static_cast<size_t>(found->second)];
    check(tensor, info, state_->solver.solver());
    targets.push_back(state_->tensor_values(found->second, tensor.role));
  }
  for (size_t i = 0; i < tensors.size(); ++i) std::copy(tensors[i].values.begin(), tensors[i].values.end(), targets[i].begin());
  ++state_->version.restorations;
}

std::vector<std::string> Model::reshape(const std::vector<Layer>& layers, ImageShape input,
                                        const std::vector<std::string>& reinitialize, uint64_t seed) {
  auto next = std::make_unique<State>(layers, input, seed, state_->solver.solver());
  next->seed = state_->seed;
  State& previous = *state_;
  for (const std::string& name : reinitialize) {
    const auto& nodes = next->graph.nodes();
    const bool known = std::any_of(nodes.begin(), nodes.end(), [&](const Graph::Node& node) { return node.name == name; });
    if (!known) refuse("reinitialize", "the graph has no layer '" + name + "'");
  }
  std::map<std::string, int> index_of;
  for (size_t t = 0; t < previous.graph.tensors().size(); ++t) index_of[previous.graph.tensors()[t].name] = static_cast<int>(t);

  std::vector<std::string> initialized;
  for (const Graph::Node& node : next->graph.nodes()) {
    if (node.tensors.empty()) continue;
    const bool wanted = std::find(reinitialize.begin(), reinitialize.end(), node.name) != reinitialize.end();
    /// Whether the tensor can be taken over: as it is, or summed over its input channels.
    const auto source = [&](int t, bool summed) -> int {
      const TensorInfo& info = next->graph.tensors()[static_cast<size_t>(t)];
      const auto found = index_of.find(info.name);
      if (found == index_of.end()) return -1;
      std::vector<int64_t> shape = previous.graph.tensors()[static_cast<size_t>(found->second)].shape;
      if (summed && shape.size() == 4 && shape[1] == 3 && info.shape.size() == 4 && info.shape[1] == 1) shape[1] = 1;
      return shape == info.shape ? found->second : -1;
    };
    const auto all_found = [&](bool summed) {
      return std::all_of(node.tensors.begin(), node.tensors.end(), [&](int t) { return source(t, summed) >= 0; });
    };
    if (wanted || !all_found(true)) {
      initialized.push_back(node.name);
      continue;
    }
    const bool same = all_found(false);
    for (const int t : node.tensors) {
      const TensorInfo& info = next->graph.tensors()[static_cast<size_t>(t)];
      const int from = source(t, true);
      const auto old_values = previous.tensor_values(from);
      const auto new_values = next->tensor_values(t);
      if (old_values.size() == new_values.size()) {
        std::copy(old_values.begin(), old_values.end(), new_values.begin());
        if (!same || info.role == TensorRole::kStatistic) continue;
        for (const SolverPart& part : parts_of(previous.solver.solver())) {
          const auto old_part = previous.solver.values(part.role, from);
          std::copy(old_part.begin(), old_part.end(), next->solver.values(part.role, t).begin());
        }
        continue;
      }
      // (out, 3, height, width) to (out, 1, height, width)
      const size_t window = static_cast<size_t>(info.shape[2] * info.shape[3]);
      for (size_t i = 0; i < new_values.size(); ++i) {
        const size_t first = i / window * 3 * window + i % window;
        new_values[i] = old_values[first] + old_values[first + window] + old_values[first + 2 * window];
      }
    }
  }
  state_ = std::move(next);
  return initialized;
}

}  // namespace dl
