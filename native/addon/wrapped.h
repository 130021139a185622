#pragma once

#include <napi.h>

#include <initializer_list>
#include <memory>
#include <vector>

#include "addon/error.h"

namespace dl::addon {

/// Binds the C++ class T to a JavaScript class. Each object carries T's type tag, and every method, getter and argument is
/// checked for it before the pointer behind the object is touched: a wrong `this` throws a TypeError.
///
/// T has `kName`, `kTag` (random, unique to the class), a constructor from Napi::CallbackInfo and `finalize(Napi::Env)`, which
/// runs on the JavaScript thread when the object was collected or its environment ends, and must not run JavaScript.
template <typename T>
class Wrapped {
 public:
  using Method = Napi::Value (T::*)(const Napi::CallbackInfo&);

  template <Method kMethod>
  static napi_property_descriptor method(const char* name) {
    napi_property_descriptor descriptor{};
    descriptor.utf8name = name;
    descriptor.method = call<kMethod>;
    descriptor.attributes = napi_default_method;
    return descriptor;
  }

  template <Method kMethod>
  static napi_property_descriptor getter(const char* name) {
    napi_property_descriptor descriptor{};
    descriptor.utf8name = name;
    descriptor.getter = call<kMethod>;
    descriptor.attributes = static_cast<napi_property_attributes>(napi_enumerable | napi_configurable);
    return descriptor;
  }

  static void define(Napi::Env env, Napi::Object exports, const std::vector<napi_property_descriptor>& properties) {
    napi_value constructor = nullptr;
    const napi_status status = napi_define_class(env, T::kName, NAPI_AUTO_LENGTH, construct, nullptr, properties.size(),
                                                 properties.data(), &constructor);
    NAPI_THROW_IF_FAILED_VOID(env, status);
    exports.Set(T::kName, constructor);
  }

  /// The object behind `value`, or nullptr where it is something else.
  static T* unwrap(Napi::Env env, napi_value value) {
    napi_valuetype type = napi_undefined;
    bool tagged = false;
    void* object = nullptr;
    if (napi_typeof(env, value, &type) != napi_ok || type != napi_object) return nullptr;
    if (napi_check_object_type_tag(env, value, &T::kTag, &tagged) != napi_ok || !tagged) return nullptr;
    if (napi_unwrap(env, value, &object) != napi_ok) return nullptr;
    return static_cast<T*>(object);
  }

 private:
  static napi_value construct(napi_env env, napi_callback_info raw) noexcept {
    return guarded(env, [&]() -> napi_value {
      const Napi::CallbackInfo info(env, raw);
      if (!info.IsConstructCall()) throw Napi::TypeError::New(env, std::string(T::kName) + " is a class: call it with new");
      auto object = std::make_unique<T>(info);
      napi_value self = info.This();
      NAPI_THROW_IF_FAILED(env, napi_type_tag_object(env, self, &T::kTag), nullptr);
      const napi_status status = napi_wrap(env, self, object.get(), finalize, nullptr, nullptr);
      if (status != napi_ok) object->finalize(env);
      NAPI_THROW_IF_FAILED(env, status, nullptr);
      object.release();
      return self;
    });
  }

  template <Method kMethod>
  static napi_value call(napi_env env, napi_callback_info raw) noexcept {
    return guarded(env, [&]() -> napi_value {
      const Napi::CallbackInfo info(env, raw);
      T* object = unwrap(env, info.This());
      if (object == nullptr) throw Napi::TypeError::New(env, std::string("this is no ") + T::kName);
      return (object->*kMethod)(info);
    });
  }

  static void finalize(napi_env env, void* data, void*) noexcept {
    const std::unique_ptr<T> object(static_cast<T*>(data));
    object->finalize(env);
  }
};

}  // namespace dl::addon
