#pragma once

#include <napi.h>

#include <string>
#include <vector>

#include "engine/model.h"

namespace dl::addon {

/// PlanOptions of native/binding.ts; throws kInvalidArgument.
PlanOptions to_plan_options(const Napi::Value& options);

/// TrainOptions of native/binding.ts; throws kInvalidArgument.
TrainOptions to_train_options(const Napi::Value& options);

/// Solver of native/binding.ts; throws kInvalidArgument.
Solver to_solver(const Napi::Value& solver);

/// A bigint of 64 bits; throws kInvalidArgument.
uint64_t to_seed(const Napi::Value& seed);

/// A copy of an Int32Array of `count` labels; throws kInvalidArgument.
std::vector<int32_t> to_labels(const Napi::Value& labels, int64_t count);

/// ReshapeOptions of native/binding.ts; throws kInvalidArgument.
ReshapeOptions to_reshape_options(const Napi::Value& options);

Napi::Array to_js_strings(Napi::Env env, const std::vector<std::string>& strings);

/// The name of Precision in native/binding.ts.
const char* precision_name(Precision precision);

}  // namespace dl::addon
