#include "test/failing_gpus/failing_gpu.h"

#include <algorithm>

#include "test/failing_gpus/computing_device.h"
#include "test/failing_gpus/fault.h"

namespace dl::test {
namespace {

PlanOptions computed(PlanOptions options) {
  options.precision = computed_precision(options.precision);
  return options;
}

class FailingModel final : public DeviceModel {
 public:
  FailingModel(int index, std::unique_ptr<DeviceModel> model) : index_(index), model_(std::move(model)) {}

  int64_t memory_bytes() const override { return model_->memory_bytes(); }

  void prepare(const PlanOptions& options, bool training) override {
    meet_faults(index_);
    model_->prepare(computed(options), training);
  }

  void release_plans() override {
    meet_faults(index_);
    model_->release_plans();
  }

  void set_solver(Solver solver) override {
    meet_faults(index_);
    model_->set_solver(solver);
  }

  StepResult train(const ImageBatch& images, std::span<const int32_t> labels, const TrainOptions& options) override {
    meet_faults(index_);
    TrainOptions computed_options = options;
    computed_options.plan = computed(options.plan);
    const StepResult result = model_->train(images, labels, computed_options);
    if (wrong("wrong_update", options.plan.precision)) shift(0, TensorRole::kWeight);
    return result;
  }

  void apply(const ImageBatch& images, const PlanOptions& options, std::span<float> confidences) override {
    meet_faults(index_);
    model_->apply(images, computed(options), confidences);
    if (wrong("wrong_confidences", options.precision)) std::ranges::reverse(confidences);
  }

  std::vector<float> read(int tensor, TensorRole role) const override {
    meet_faults(index_);
    return model_->read(tensor, role);
  }

  void write(int tensor, TensorRole role, const std::function<void(std::span<float>)>& fill) override {
    meet_faults(index_);
    model_->write(tensor, role, fill);
  }

 private:
  bool wrong(const char* fault, Precision precision) const {
    return has_fault(fault, index_) || (precision == Precision::kBfloat16 && has_fault(std::string(fault) + "_bfloat16", index_));
  }

  /// What a kernel does that writes beyond its own tensor.
  void shift(int tensor, TensorRole role) {
    const std::vector<float> values = model_->read(tensor, role);
    model_->write(tensor, role, [&](std::span<float> target) {
      std::ranges::transform(values, target.begin(), [](float value) { return value + 0.125F; });
    });
  }

  const int index_;
  const std::unique_ptr<DeviceModel> model_;
};

class FailingGpu final : public Device {
 public:
  explicit FailingGpu(int index) : index_(index), device_(computing_device(index)), info_(device_.info()) {
    info_.name = "the tests' GPU " + std::to_string(index);
    info_.memory_bytes = environment_number("DL_GPU_MEMORY_BYTES", 1LL << 30);
    info_.libraries = {"cuDNN of no GPU"};
    info_.precisions = {Precision::kFloat32};
    if (environment_number("DL_GPU_PRECISIONS", 3) < 3) return;
    info_.precisions.push_back(Precision::kTf32);
    if (std::ranges::count(device_.info().precisions, Precision::kBfloat16) > 0) info_.precisions.push_back(Precision::kBfloat16);
  }

  const DeviceInfo& info() const override { return info_; }
  void begin(int threads) override { device_.begin(threads); }

  MemoryPlan plan_memory(const Graph& graph, const PlanOptions& options, Solver solver) override {
    if (has_fault("lost", index_)) meet_faults(index_);
    return device_.plan_memory(graph, computed(options), solver);
  }

  std::unique_ptr<DeviceModel> make_model(const Graph& graph, Solver solver, uint64_t seed) override {
    meet_faults(index_);
    return std::make_unique<FailingModel>(index_, device_.make_model(graph, solver, seed));
  }

 private:
  const int index_;
  Device& device_;
  DeviceInfo info_;
};

}  // namespace

std::unique_ptr<Device> make_failing_gpu(int index) { return std::make_unique<FailingGpu>(index); }

}  // namespace dl::test
