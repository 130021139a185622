#pragma once

#include <napi.h>

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <utility>

#include "addon/engine_thread.h"
#include "addon/error.h"
#include "addon/job.h"
#include "engine/graph.h"
#include "engine/upcoming_batches.h"

namespace dl::addon {

/// What the JavaScript thread knows of a model: the model itself lives in the engine thread's ModelTable under this object's
/// address. Only the JavaScript thread reads or writes it; jobs hold it so that the address stays the model's until it is freed.
struct ModelState {
  ModelState(std::shared_ptr<EngineThread> engine_thread, Graph checked_graph)
      : thread(std::move(engine_thread)), graph(std::move(checked_graph)) {}

  std::shared_ptr<EngineThread> thread;
  Graph graph;  // as of the last job that was settled
  int64_t memory_bytes = 0;
  bool closed = false;
  /// Of any thread.
  const std::shared_ptr<UpcomingBatches> upcoming = std::make_shared<UpcomingBatches>();

  /// Tells the garbage collector how much memory the model holds outside the JavaScript heap.
  void account(Napi::Env env, int64_t bytes) {
    Napi::MemoryManagement::AdjustExternalMemory(env, bytes - memory_bytes);
    memory_bytes = bytes;
  }
};

/// Makes the model; its failure is kept in the table and answers the model's later jobs.
class AllocateJob final : public Job {
 public:
  AllocateJob(std::shared_ptr<ModelState> state, std::vector<Layer> layers, ImageShape input, uint64_t seed)
      : Job(Kind::kAllocate, state.get()), state_(std::move(state)), layers_(std::move(layers)), input_(input), seed_(seed) {}

  bool awaited() const override { return false; }

  void run(ModelTable& models) noexcept override {
    models.add(model(), layers_, input_, seed_);
    memory_bytes_ = models.memory_bytes(model());
  }

  void settle(Napi::Env env) override { state_->account(env, memory_bytes_); }
  void refuse(Napi::Env, const Error&) override {}

 private:
  const std::shared_ptr<ModelState> state_;
  const std::vector<Layer> layers_;
  const ImageShape input_;
  const uint64_t seed_;
  int64_t memory_bytes_ = 0;
};

/// One call of a model: `work` on the engine thread, `convert` makes its result a JavaScript value.
template <typename Result>
class CallJob final : public Job {
 public:
  using Work = std::function<Result(Model&)>;
  using Convert = std::function<Napi::Value(Napi::Env, ModelState&, Result&&)>;

  /// With `ready`, the job waits until it is true.
  CallJob(std::shared_ptr<ModelState> state, Napi::Promise::Deferred deferred, Work work, Convert convert,
          std::shared_ptr<const std::atomic<bool>> ready = nullptr)
      : Job(Kind::kWork, state.get()),
        state_(std::move(state)),
        deferred_(deferred),
        work_(std::move(work)),
        convert_(std::move(convert)),
        ready_(std::move(ready)) {}

  bool awaited() const override { return true; }
  bool ready() const override { return ready_ == nullptr || *ready_; }

  void run(ModelTable& models) noexcept override {
    try {
      result_.emplace(work_(models.at(model())));
    } catch (...) {
      error_.emplace(current_error());
    }
    memory_bytes_ = models.memory_bytes(model());
  }

  void settle(Napi::Env env) override {
    state_->account(env, memory_bytes_);
    if (error_) return refuse(env, *error_);
    reject_on_error(env, deferred_, [&] { deferred_.Resolve(convert_(env, *state_, std::move(*result_))); });
  }

  void refuse(Napi::Env env, const Error& error) override { deferred_.Reject(to_js(env, error).Value()); }

 private:
  const std::shared_ptr<ModelState> state_;
  const Napi::Promise::Deferred deferred_;
  const Work work_;
  const Convert convert_;
  const std::shared_ptr<const std::atomic<bool>> ready_;
  std::optional<Result> result_;
  std::optional<Error> error_;
  int64_t memory_bytes_ = 0;
};

/// Destroys the model, for a close() that waits or, without a promise, for a finalizer.
class ReleaseJob final : public Job {
 public:
  ReleaseJob(std::shared_ptr<ModelState> state, std::optional<Napi::Promise::Deferred> deferred)
      : Job(Kind::kRelease, state.get()), state_(std::move(state)), deferred_(deferred) {}

  bool awaited() const override { return deferred_.has_value(); }
  void run(ModelTable& models) noexcept override { models.remove(model()); }

  void settle(Napi::Env env) override {
    state_->account(env, 0);
    if (deferred_) deferred_->Resolve(env.Undefined());
  }

  void refuse(Napi::Env env, const Error& error) override {
    if (deferred_) deferred_->Reject(to_js(env, error).Value());
  }

 private:
  const std::shared_ptr<ModelState> state_;
  const std::optional<Napi::Promise::Deferred> deferred_;
};

}  // namespace dl::addon
