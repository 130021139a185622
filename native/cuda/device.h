#pragma once

#include <memory>
#include <optional>
#include <string>

#include "cuda/handles.h"
#include "cuda/runtime/transfer.h"
#include "cuda/target.h"
#include "engine/device.h"
#include "engine/error.h"

namespace dl::cuda {

/// One GPU. Its memory and its handles are taken by its own thread, in begin().
class CudaDevice final : public Device {
 public:
  /// Throws kNoGpu, kCudnnMissing, kCublasMissing.
  explicit CudaDevice(int index);
  /// A device that is described, not asked: for tests, whose runtime stands in for CUDA's.
  CudaDevice(DeviceInfo info, std::unique_ptr<Target> target);

  const DeviceInfo& info() const override { return info_; }
  void begin(int threads) override;
  MemoryPlan plan_memory(const Graph& graph, const PlanOptions& options, Solver solver) override;
  std::unique_ptr<DeviceModel> make_model(const Graph& graph, Solver solver, uint64_t seed) override;

  const Handles& handles() const { return *handles_; }
  Transfer& transfer() { return *transfer_; }
  Target& target() { return *target_; }

  /// Does something on the device. After a failure that it does not recover from, every later attempt throws kDeviceLost.
  template <class Action>
  auto guarded(const Action& action) -> decltype(action()) {
    if (lost_) throw Error(Reason::kDeviceLost, *lost_);
    try {
      return action();
    } catch (const Error& error) {
      if (error.reason() == Reason::kDeviceLost) lost_ = error.what();
      throw;
    }
  }

 private:
  int index_ = 0;
  DeviceInfo info_;
  std::optional<std::string> lost_;  // what was said when the device was lost
  std::unique_ptr<Target> target_;
  std::unique_ptr<Handles> handles_;
  std::unique_ptr<Transfer> transfer_;
};

}  // namespace dl::cuda
