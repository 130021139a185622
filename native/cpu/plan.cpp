#include "cpu/plan.h"

#include <algorithm>

#include "cpu/operations/operations.h"
#include "cpu/plan_builder.h"
#include "engine/error.h"

namespace dl::cpu {
namespace {

/// NHWC in float32, where oneDNN's brgemm kernels make the forward pass quicker, and where there are tiles; channel groups of 16
/// in bfloat16. `npm run bench
/// -- orders` measures both. Groups of 16 are for graphs whose channels come in such groups: for others oneDNN has no quick
/// weight gradient, and a concatenation would cut groups apart.
Order activation_order(const Graph& graph, const PlanOptions& options) {
  if (options.precision == Precision::kFloat32 || kernels().tap_product_bfloat16) return Order::kNhwc;
  const auto in_groups = [&](int node) { return graph.nodes()[static_cast<size_t>(node)].shape.channels % 16 == 0; };
  for (int index = 0; index < static_cast<int>(graph.nodes().size()); ++index) {
    const Graph::Node& node = graph.nodes()[static_cast<size_t>(index)];
    const auto* convolution = std::get_if<Convolution>(&node.kind);
    if (convolution && convolution->kernel != Extent{1, 1} && !in_groups(index)) return Order::kNhwc;
    if (std::holds_alternative<Concat>(node.kind) && !std::all_of(node.inputs.begin(), node.inputs.end(), in_groups))
      return Order::kNhwc;
  }
  return Order::kBlocked16;
}

std::vector<ParameterSegment> parameter_segments(const Graph& graph, const ParameterLayout& parameters,
                                                 const std::vector<std::string>& frozen_layers) {
  constexpr int64_t kLength = 16384;
  std::vector<ParameterSegment> segments;
  for (size_t t = 0; t < graph.tensors().size(); ++t) {
    const TensorInfo& tensor = graph.tensors()[t];
    if (tensor.role == TensorRole::kStatistic) continue;
    const int64_t offset = parameters.offset(static_cast<int>(t));
    const bool frozen = std::find(frozen_layers.begin(), frozen_layers.end(), tensor.layer) != frozen_layers.end();
    for (int64_t done = 0; done < tensor.size(); done += kLength) {
      segments.push_back({.offset = offset + done,
                          .length = std::min(kLength, tensor.size() - done),
                          .tensor = static_cast<int>(t),
                          .regularized = tensor.role == TensorRole::kWeight,
                          .frozen = frozen});
    }
  }
  return segments;
}

int64_t aligned(int64_t bytes) { return (bytes + ArenaPlan::kAlignment - 1) / ArenaPlan::kAlignment * ArenaPlan::kAlignment; }

/// oneDNN's exceptions end here.
template <class F>
void with_onednn(const F& f) {
  try {
    f();
  } catch (const dnnl::error& error) {
    if (error.status == dnnl_out_of_memory) throw Error(Reason::kOutOfMemory, "oneDNN is out of memory", {{"bytes", "0"}});
    throw Error(Reason::kInternal, std::string("oneDNN: ") + error.what());
  }
}

}  // namespace

Plan::Plan(const Graph& graph, const ParameterLayout& parameters, const PlanOptions& options, bool training)
    : options_(options), parameter_values_(training ? parameters.size() : 0) {
  if (training) segments_ = parameter_segments(graph, parameters, options.frozen_layers);
  with_onednn([&] {
    PlanBuilder builder(graph, parameters, options, training, activation_order(graph, options));
    const int count = static_cast<int>(builder.operations().size());
    for (int k = 0; k < count; ++k) {
      builder.begin(k, false);
      const FusedOperation& operation = builder.operations()[static_cast<size_t>(k)];
      operations_.push_back(make_operation(builder, operation));
      layers_.push_back(builder.node(operation.node).name);
      if (!builder.frozen(operation.node)) trained_operations_.push_back(operations_.back().get());
    }
    for (int k = count - 1; k >= 0; --k) {
      if (!builder.runs_backward(k)) continue;
      builder.begin(k, true);
      backward_operations_.push_back(static_cast<size_t>(k));
      operations_[static_cast<size_t>(k)]->plan_backward(builder);
    }
    builder.arena().assign();
    arena_ = std::move(builder.arena());
  });
}

Plan::~Plan() = default;

int64_t Plan::bytes() const {
  const int64_t parameters = aligned(parameter_values_ * static_cast<int64_t>(sizeof(float)));
  return parameters + aligned(static_cast<int64_t>(2 * segments_.size() * sizeof(double))) + arena_.bytes();
}

double* Plan::segment_scratch() const {
  return memory_.at<double>(aligned(parameter_values_ * static_cast<int64_t>(sizeof(float))));
}

void Plan::allocate() {
  if (allocated()) return;
  HostMemory memory(bytes());
  with_onednn([&] {
    const Arena arena{&arena_, memory.data() + (bytes() - arena_.bytes())};
    for (const auto& operation : operations_) operation->bind(arena);
  });
  memory_ = std::move(memory);
}

void Plan::load_weights(const float* values, const ValuesVersion& version) {
  if (loaded_ == version) return;
  with_onednn([&] {
    if (loaded_ && loaded_->restorations == version.restorations) {
      for (Operation* operation : trained_operations_) operation->load_weights(values);
    } else {
      for (const auto& operation : operations_) operation->load_weights(values);
    }
  });
  loaded_ = version;
}

void Plan::forward(SubBatch& batch) {
  with_onednn([&] {
    StepProfile* profile = batch.profile;
    if (profile && profile->layers.empty()) {
      for (const std::string& layer : layers_) profile->layers.push_back({.layer = layer});
    }
    if (profile) profile->begin();
    for (size_t k = 0; k < operations_.size(); ++k) {
      operations_[k]->forward(batch);
      if (profile) profile->lap(profile->layers[k].forward);
    }
  });
}

void Plan::backward(SubBatch& batch) {
  with_onednn([&] {
    StepProfile* profile = batch.profile;
    if (profile) profile->begin();
    for (const size_t k : backward_operations_) {
      if (profile) batch.profiled = &profile->layers[k];
      operations_[k]->backward(batch);
      if (profile) profile->lap(profile->layers[k].backward);
    }
  });
}

}  // namespace dl::cpu
