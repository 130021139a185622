#pragma once

#include <napi.h>

#include <optional>
#include <utility>

#include "addon/error.h"
#include "addon/job.h"
#include "addon/step_result.h"
#include "engine/model.h"

namespace dl::addon {

/// Plans the memory of a graph that belongs to no model.
class PlanJob final : public Job {
 public:
  PlanJob(Napi::Promise::Deferred deferred, Graph graph, PlanOptions options, Solver solver)
      : Job(Kind::kWork, nullptr), deferred_(deferred), graph_(std::move(graph)), options_(std::move(options)), solver_(solver) {}

  bool awaited() const override { return true; }

  void run(ModelTable& models) noexcept override {
    try {
      plan_ = plan_memory(models.device(), graph_, options_, solver_);
    } catch (...) {
      error_.emplace(current_error());
    }
  }

  void settle(Napi::Env env) override {
    if (error_) return refuse(env, *error_);
    reject_on_error(env, deferred_, [&] { deferred_.Resolve(to_js_memory_plan(env, plan_)); });
  }

  void refuse(Napi::Env env, const Error& error) override { deferred_.Reject(to_js(env, error).Value()); }

 private:
  const Napi::Promise::Deferred deferred_;
  const Graph graph_;
  const PlanOptions options_;
  const Solver solver_;
  MemoryPlan plan_;
  std::optional<Error> error_;
};

}  // namespace dl::addon
