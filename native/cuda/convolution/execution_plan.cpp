#include "cuda/convolution/execution_plan.h"

#include <array>
#include <utility>
#include <vector>

namespace dl::cuda {

std::optional<ExecutionPlan> ExecutionPlan::compile(const OperationGraph& graph, const EngineChoice& choice,
                                                    const Descriptor* properties) {
  Descriptor engine(CUDNN_BACKEND_ENGINE_DESCRIPTOR);
  engine.set(CUDNN_ATTR_ENGINE_OPERATION_GRAPH, graph.descriptor());
  engine.set(CUDNN_ATTR_ENGINE_GLOBAL_INDEX, choice.engine);
  if (properties != nullptr) engine.set(CUDNN_ATTR_ENGINE_DEVICEPROP, *properties);
  if (!engine.try_finalize()) return std::nullopt;

  std::vector<Descriptor> knobs;
  for (const EngineChoice::Knob& knob : choice.knobs) {
    Descriptor& chosen = knobs.emplace_back(CUDNN_BACKEND_KNOB_CHOICE_DESCRIPTOR);
    chosen.set(CUDNN_ATTR_KNOB_CHOICE_KNOB_TYPE, static_cast<cudnnBackendKnobType_t>(knob.type));
    chosen.set(CUDNN_ATTR_KNOB_CHOICE_KNOB_VALUE, knob.value);
    if (!chosen.try_finalize()) return std::nullopt;
  }
  Descriptor configuration(CUDNN_BACKEND_ENGINECFG_DESCRIPTOR);
  configuration.set(CUDNN_ATTR_ENGINECFG_ENGINE, engine);
  if (!knobs.empty()) configuration.set(CUDNN_ATTR_ENGINECFG_KNOB_CHOICES, knobs);
  if (!configuration.try_finalize()) return std::nullopt;

  Descriptor plan(CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR);
  plan.set(CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, configuration);
  if (properties != nullptr)
    plan.set(CUDNN_ATTR_EXECUTION_PLAN_DEVICEPROP, *properties);
  else
    plan.set(CUDNN_ATTR_EXECUTION_PLAN_HANDLE, graph.handle());
  if (!plan.try_finalize()) return std::nullopt;
  return ExecutionPlan(std::move(plan));
}

std::optional<ExecutionPlan> ExecutionPlan::make(const OperationGraph& graph, const EngineChoice& choice,
                                                 const Descriptor& device) {
  return compile(graph, choice, &device);
}

std::optional<ExecutionPlan> ExecutionPlan::make(const OperationGraph& graph, const EngineChoice& choice) {
  return compile(graph, choice, nullptr);
}

void ExecutionPlan::bind(const ConvolutionPointers& pointers) {
  constexpr std::array kUids{static_cast<int64_t>(TensorUid::kInput), static_cast<int64_t>(TensorUid::kFilter),
                             static_cast<int64_t>(TensorUid::kOutput)};
  const std::array<void*, 3> data{pointers.input, pointers.filter, pointers.output};
  Descriptor& pack = pack_.emplace(CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR);
  pack.set(CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, kUids);
  pack.set(CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, data);
  pack.set(CUDNN_ATTR_VARIANT_PACK_WORKSPACE, pointers.workspace);
  pack.finalize();
}

cudnnStatus_t ExecutionPlan::try_execute(cudnnHandle_t handle) const {
  return cudnn().cudnnBackendExecute(handle, plan_.get(), pack_->get());
}

void ExecutionPlan::execute(cudnnHandle_t handle) const { check(try_execute(handle), "a convolution"); }

}  // namespace dl::cuda
