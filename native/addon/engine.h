#pragma once

#include <napi.h>

#include <memory>

#include "addon/engine_thread.h"
#include "addon/wrapped.h"

namespace dl::addon {

/// Engine of native/binding.ts: a lease of an engine thread.
class Engine {
 public:
  static constexpr const char* kName = "Engine";
  static constexpr napi_type_tag kTag{0x2b7e91c4d05f4a3c, 0x9d6a38f1e2740b85};

  static void define(Napi::Env env, Napi::Object exports);

  explicit Engine(const Napi::CallbackInfo& info);
  void finalize(Napi::Env) { thread_.reset(); }

  Napi::Value info(const Napi::CallbackInfo& info);
  Napi::Value plan_memory(const Napi::CallbackInfo& info);
  Napi::Value close(const Napi::CallbackInfo& info);

  const std::shared_ptr<EngineThread>& thread() const { return thread_; }

 private:
  int compute_threads_ = 1;
  const DeviceInfo* device_info_ = nullptr;
  std::shared_ptr<EngineThread> thread_;
};

}  // namespace dl::addon
