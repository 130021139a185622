#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "engine/graph.h"
#include "engine/options.h"
#include "engine/solver.h"

namespace dl {

/// What a device is and what it computes with.
struct DeviceInfo {
  std::string name;                    // for instance of the processor
  std::string instruction_set;         // of the own kernels, for instance "avx512" or "compute capability 9.0"
  std::vector<Precision> precisions;   // what it computes in
  std::vector<std::string> libraries;  // for instance "oneDNN 2.6.3"
  int64_t memory_bytes = 0;            // of the device
};

/// A network on a device: its values, its solver's state, and the plans compiled for it. The engine has checked all arguments.
/// Every method that throws dl::Error has changed nothing.
class DeviceModel {
 public:
  virtual ~DeviceModel() = default;

  /// Bytes held now: parameters, and the plans that have memory.
  virtual int64_t memory_bytes() const = 0;
  /// Makes the plan of these options and takes its memory; the training plan or the inference plan of other options is given up
  /// for it. Throws kOutOfMemory.
  virtual void prepare(const PlanOptions& options, bool training) = 0;
  /// Gives up the plans and their memory; they are made anew when they are needed.
  virtual void release_plans() = 0;
  /// Another rule of training; its state begins at 0. Throws kOutOfMemory.
  virtual void set_solver(Solver solver) = 0;
  /// One step by the rule of Model::train. Throws what prepare() throws, and kStepDiverged by way of check_step().
  virtual StepResult train(const ImageBatch& images, std::span<const int32_t> labels, const TrainOptions& options) = 0;
  /// Confidences (images, classes), batch_size images at a time; the last ones may be fewer.
  virtual void apply(const ImageBatch& images, const PlanOptions& options, std::span<float> confidences) = 0;

  /// The values of a tensor of the graph, or of the part of the solver's state that belongs to it.
  virtual std::vector<float> read(int tensor, TensorRole role) const = 0;
  /// Overwrites them by what `fill` writes to the memory that it is given.
  virtual void write(int tensor, TensorRole role, const std::function<void(std::span<float>)>& fill) = 0;
};

/// Something that networks live and compute on. All methods but info() are for one thread, the device's own.
class Device {
 public:
  virtual ~Device() = default;

  virtual const DeviceInfo& info() const = 0;
  /// Called by the device's thread before anything else. `threads`: how many the host's part of the work may use.
  virtual void begin(int threads) = 0;
  /// What a model of this graph holds with these options and this solver; nothing is allocated.
  virtual MemoryPlan plan_memory(const Graph& graph, const PlanOptions& options, Solver solver) = 0;
  /// All tensors and the state are 0. The graph stays where it is as long as the model lives. `seed`: of dropout's masks. Throws
  /// kOutOfMemory.
  virtual std::unique_ptr<DeviceModel> make_model(const Graph& graph, Solver solver, uint64_t seed) = 0;
};

}  // namespace dl
