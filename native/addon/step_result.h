#pragma once

#include <napi.h>

#include "engine/model.h"

namespace dl::addon {

/// A step and the seconds that it waited in the queue.
struct TimedStep {
  double queue_seconds = 0;
  StepResult result;
};

/// StepResult of native/binding.ts.
Napi::Value to_js_step_result(Napi::Env env, const TimedStep& step);

/// LayerSeconds of native/binding.ts for every layer.
Napi::Value to_js_profile(Napi::Env env, const StepProfile& profile);

/// MemoryPlan of native/binding.ts.
Napi::Value to_js_memory_plan(Napi::Env env, const MemoryPlan& plan);

}  // namespace dl::addon
