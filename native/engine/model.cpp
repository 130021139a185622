#include "engine/model.h"

#include <algorithm>
#include <map>
#include <utility>

#include "engine/argument_checks.h"
#include "engine/initialization.h"
#include "engine/pixel_range.h"

namespace dl {

/// A graph and its values on a device.
struct Model::State {
  State(Device& the_device, Graph the_graph, uint64_t model_seed, Solver solver_kind)
      : device(the_device), graph(std::move(the_graph)), solver(solver_kind), seed(model_seed) {
    values = device.make_model(graph, solver, seed);
  }

  const TensorInfo& tensor(int index) const { return graph.tensors()[static_cast<size_t>(index)]; }

  void initialize(int index, uint64_t from_seed) {
    const TensorInfo& info = tensor(index);
    values->write(index, info.role, [&](std::span<float> target) { dl::initialize(info, from_seed, target); });
  }

  void copy(int index, TensorRole role, const State& other, int from) {
    const std::vector<float> source = other.values->read(from, role);
    values->write(index, role, [&](std::span<float> target) { std::ranges::copy(source, target.begin()); });
  }

  /// (out, 3, height, width) of another state to (out, 1, height, width).
  void write_channel_sums(int index, const State& other, int from) {
    const TensorInfo& info = tensor(index);
    const auto window = static_cast<size_t>(info.shape[2] * info.shape[3]);
    const std::vector<float> colours = other.values->read(from, info.role);
    values->write(index, info.role, [&](std::span<float> target) {
      for (size_t i = 0; i < target.size(); ++i) {
        const size_t first = i / window * 3 * window + i % window;
        target[i] = colours[first] + colours[first + window] + colours[first + 2 * window];
      }
    });
  }

  void check(const ImageBatch& images) const {
    const int64_t image_bytes = images.image_bytes(graph.input());
    if (images.count < 1) refuse("images", "at least one is wanted");
    const std::string wanted = std::to_string(images.count) + " of " + std::to_string(image_bytes) + " bytes are wanted, got ";
    if (images.images.empty()) {
      const auto bytes = static_cast<int64_t>(images.pixels.size());
      if (bytes % image_bytes != 0 || bytes / image_bytes != images.count)
        refuse("images", wanted + std::to_string(bytes) + " bytes");
    } else if (static_cast<int64_t>(images.images.size()) != images.count || !images.hold(images.count, graph.input())) {
      refuse("images", wanted + std::to_string(images.images.size()) + ", some of other sizes");
    }
    check_pixel_range(images, graph.input());
  }

  void check(const PlanOptions& options) const { dl::check(options, graph, device.info()); }

  Device& device;
  const Graph graph;
  Solver solver;
  uint64_t seed;
  std::unique_ptr<DeviceModel> values;
};

Model::Model(Device& device, const std::vector<Layer>& layers, ImageShape input, uint64_t seed)
    : state_(std::make_unique<State>(device, Graph(layers, input), seed, Solver::kSgd)) {
  for (size_t t = 0; t < state_->graph.tensors().size(); ++t) state_->initialize(static_cast<int>(t), seed);
}

Model::~Model() = default;

const Graph& Model::graph() const { return state_->graph; }

int64_t Model::memory_bytes() const { return state_->values->memory_bytes(); }

MemoryPlan plan_memory(Device& device, const Graph& graph, const PlanOptions& options, Solver solver) {
  check(options, graph, device.info());
  return device.plan_memory(graph, options, solver);
}

MemoryPlan Model::plan_memory(const PlanOptions& options) const {
  return dl::plan_memory(state_->device, state_->graph, options, state_->solver);
}

void Model::prepare(const PlanOptions& options) {
  state_->check(options);
  for (const bool training : {true, false}) state_->values->prepare(options, training);
}

void Model::set_solver(Solver solver) {
  if (solver == state_->solver) return;
  state_->values->set_solver(solver);
  state_->solver = solver;
}

StepResult Model::train(const ImageBatch& images, std::span<const int32_t> labels, const TrainOptions& options) {
  const State& state = *state_;
  const int64_t sub_batch_size = options.plan.batch_size;
  check(options);
  state.check(options.plan);
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
  return state.values->train(images, labels, options);
}

std::vector<float> Model::apply(const ImageBatch& images, const PlanOptions& options) {
  const State& state = *state_;
  state.check(images);
  state.check(options);
  std::vector<float> confidences(static_cast<size_t>(images.count * state.graph.classes()));
  state.values->apply(images, options, confidences);
  return confidences;
}

std::vector<NamedTensor> Model::snapshot() const {
  const State& state = *state_;
  const auto& infos = state.graph.tensors();
  std::vector<NamedTensor> tensors;
  for (size_t t = 0; t < infos.size(); ++t) {
    const TensorInfo& info = infos[t];
    tensors.push_back({info.name, info.role, info.shape, state.values->read(static_cast<int>(t), info.role)});
  }
  for (size_t t = 0; t < infos.size(); ++t) {
    const TensorInfo& info = infos[t];
    if (info.role == TensorRole::kStatistic) continue;
    for (const auto& [role, scalar] : parts_of(state.solver)) {
      std::vector<int64_t> shape = scalar ? std::vector<int64_t>{} : info.shape;
      tensors.push_back({info.name, role, std::move(shape), state.values->read(static_cast<int>(t), role)});
    }
  }
  return tensors;
}

void Model::restore(const std::vector<NamedTensor>& tensors) {
  const auto& infos = state_->graph.tensors();
  std::map<std::string, int> index_of;
  for (size_t t = 0; t < infos.size(); ++t) index_of[infos[t].name] = static_cast<int>(t);

  std::vector<int> targets;
  for (const NamedTensor& tensor : tensors) {
    const auto found = index_of.find(tensor.name);
    if (found == index_of.end()) refuse(tensor.name, "the graph has no tensor of this name");
    check(tensor, infos[static_cast<size_t>(found->second)], state_->solver);
    targets.push_back(found->second);
  }
  for (size_t i = 0; i < tensors.size(); ++i) {
    const auto fill = [&](std::span<float> target) { std::ranges::copy(tensors[i].values, target.begin()); };
    state_->values->write(targets[i], tensors[i].role, fill);
  }
}

std::vector<std::string> Model::reshape(const std::vector<Layer>& layers, ImageShape input, const ReshapeOptions& options) {
  const State& previous = *state_;
  const Solver solver = options.solver.value_or(previous.solver);
  Graph graph(layers, input);
  for (const std::string& name : options.reinitialize) {
    const bool known = std::ranges::any_of(graph.nodes(), [&](const Graph::Node& node) { return node.name == name; });
    if (!known) refuse("reinitialize", "the graph has no layer '" + name + "'");
  }
  if (options.plan) dl::check(*options.plan, graph, previous.device.info());
  previous.values->release_plans();  // before the new values take their memory
  auto next = std::make_unique<State>(previous.device, std::move(graph), previous.seed, solver);
  std::map<std::string, int> index_of;
  for (size_t t = 0; t < previous.graph.tensors().size(); ++t)
    index_of[previous.tensor(static_cast<int>(t)).name] = static_cast<int>(t);

  std::vector<std::string> initialized;
  for (const Graph::Node& node : next->graph.nodes()) {
    if (node.tensors.empty()) continue;
    const bool wanted = std::ranges::find(options.reinitialize, node.name) != options.reinitialize.end();
    /// Whether the tensor can be taken over: as it is, or summed over its input channels.
    const auto source = [&](int t, bool summed) -> int {
      const TensorInfo& info = next->tensor(t);
      const auto found = index_of.find(info.name);
      if (found == index_of.end()) return -1;
      std::vector<int64_t> shape = previous.tensor(found->second).shape;
      if (summed && shape.size() == 4 && shape[1] == 3 && info.shape.size() == 4 && info.shape[1] == 1) shape[1] = 1;
      return shape == info.shape ? found->second : -1;
    };
    const auto all_found = [&](bool summed) {
      return std::all_of(node.tensors.begin(), node.tensors.end(), [&](int t) { return source(t, summed) >= 0; });
    };
    if (wanted || !all_found(true)) {
      initialized.push_back(node.name);
      for (const int t : node.tensors) next->initialize(t, options.seed);
      continue;
    }
    const bool same = all_found(false);
    for (const int t : node.tensors) {
      const TensorInfo& info = next->tensor(t);
      const int from = source(t, true);
      if (previous.tensor(from).shape != info.shape) {
        next->write_channel_sums(t, previous, from);
        continue;
      }
      next->copy(t, info.role, previous, from);
      if (!same || solver != previous.solver || info.role == TensorRole::kStatistic) continue;
      for (const SolverPart& part : parts_of(previous.solver)) next->copy(t, part.role, previous, from);
    }
  }
  if (options.plan) {
    for (const bool training : {true, false}) next->values->prepare(*options.plan, training);
  }
  state_ = std::move(next);
  return initialized;
}

}  // namespace dl
