#include "addon/tensor.h"

#include <array>
#include <functional>
#include <memory>
#include <numeric>
#include <utility>

#include "addon/error.h"
#include "addon/fields.h"

namespace dl::addon {
namespace {

constexpr std::array<std::pair<const char*, TensorRole>, 7> kRoles{{{"weight", TensorRole::kWeight},
                                                                    {"bias", TensorRole::kBias},
                                                                    {"statistic", TensorRole::kStatistic},
                                                                    {"momentum", TensorRole::kMomentum},
                                                                    {"first_moment", TensorRole::kFirstMoment},
                                                                    {"second_moment", TensorRole::kSecondMoment},
                                                                    {"update_count", TensorRole::kUpdateCount}}};

TensorRole to_role(const Fields& fields) {
  const std::string name = fields.string("role");
  for (const auto& [role, value] : kRoles) {
    if (name == role) return value;
  }
  std::string names;
  for (const auto& [role, value] : kRoles) names += (names.empty() ? "" : ", ") + std::string(role);
  fields.refuse("role", "'" + name + "' is none of " + names);
}

}  // namespace

const char* role_name(TensorRole role) {
  for (const auto& [name, value] : kRoles) {
    if (role == value) return name;
  }
  throw Error(Reason::kInternal, "a tensor has a role without a name");
}

Napi::Array to_js_shape(Napi::Env env, const std::vector<int64_t>& shape) {
  Napi::Array array = Napi::Array::New(env, shape.size());
  for (uint32_t i = 0; i < array.Length(); ++i) array.Set(i, static_cast<double>(shape[i]));
  return array;
}

Napi::Float32Array to_float32_array(Napi::Env env, std::vector<float>&& values) {
  if (values.empty()) return Napi::Float32Array::New(env, 0);
  auto owner = std::make_unique<std::vector<float>>(std::move(values));
  const size_t length = owner->size();
  const Napi::ArrayBuffer buffer = Napi::ArrayBuffer::New(
      env, owner->data(), length * sizeof(float), [](Napi::Env, void*, std::vector<float>* owned) { delete owned; }, owner.get());
  owner.release();
  return Napi::Float32Array::New(env, length, buffer, 0);
}

Napi::Array to_js_tensors(Napi::Env env, std::vector<NamedTensor>&& tensors) {
  Napi::Array array = Napi::Array::New(env, tensors.size());
  for (uint32_t i = 0; i < array.Length(); ++i) {
    NamedTensor& tensor = tensors[i];
    Napi::Object object = Napi::Object::New(env);
    object.Set("name", tensor.name);
    object.Set("role", role_name(tensor.role));
    object.Set("shape", to_js_shape(env, tensor.shape));
    object.Set("data", to_float32_array(env, std::move(tensor.values)));
    array.Set(i, object);
  }
  return array;
}

int64_t value_count(const std::vector<int64_t>& shape) {
  return std::accumulate(shape.begin(), shape.end(), int64_t{1}, std::multiplies<>());
}

std::pair<NamedTensor, Napi::Float32Array> to_tensor(const Napi::Value& tensor) {
  if (!tensor.IsObject()) throw invalid_argument("tensors", "holds something that is not an object");
  const Fields fields(tensor.As<Napi::Object>(), [](const std::string& field, const std::string& problem) {
    return invalid_argument("tensors", field + " " + problem);
  });
  NamedTensor result{fields.string("name"), to_role(fields), fields.shape("shape"), {}};
  const Napi::Value data = fields.value("data");
  if (!data.IsTypedArray() || data.As<Napi::TypedArray>().TypedArrayType() != napi_float32_array) {
    fields.refuse("data", "is not a Float32Array");
  }
  const auto values = data.As<Napi::Float32Array>();
  // In double: the product of a shape that no array has may be beyond 64 bits.
  const double size = std::accumulate(result.shape.begin(), result.shape.end(), 1.0, std::multiplies<>());
  if (size != static_cast<double>(values.ElementLength())) {
    fields.refuse("data",
                  "of '" + result.name + "' has " + std::to_string(values.ElementLength()) + " values, not as many as its shape");
  }
  return {std::move(result), values};
}

}  // namespace dl::addon
