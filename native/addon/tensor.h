#pragma once

#include <napi.h>

#include <string>
#include <utility>
#include <vector>

#include "engine/model.h"

namespace dl::addon {

/// The names of TensorRole in native/binding.ts.
const char* role_name(TensorRole role);

Napi::Array to_js_shape(Napi::Env env, const std::vector<int64_t>& shape);

/// Hands the values over to JavaScript without a copy: the array's memory is the vector's.
Napi::Float32Array to_float32_array(Napi::Env env, std::vector<float>&& values);

/// Tensors of native/binding.ts; the values are handed over without a copy.
Napi::Array to_js_tensors(Napi::Env env, std::vector<NamedTensor>&& tensors);

/// The number of values of a shape.
int64_t value_count(const std::vector<int64_t>& shape);

/// A Tensor of native/binding.ts without its values, and the array that holds them. Throws kInvalidArgument where a field is
/// missing or the array's length is not the shape's.
std::pair<NamedTensor, Napi::Float32Array> to_tensor(const Napi::Value& tensor);

}  // namespace dl::addon
