#pragma once

#include <napi.h>

#include <memory>

#include "addon/model_job.h"
#include "addon/wrapped.h"

namespace dl::addon {

/// Model of native/binding.ts: every method queues a job on the engine thread.
class ModelObject {
 public:
  static constexpr const char* kName = "Model";
  static constexpr napi_type_tag kTag{0xc41d8a3f67e0425b, 0xa97f05d2be614c18};

  static void define(Napi::Env env, Napi::Object exports);

  explicit ModelObject(const Napi::CallbackInfo& info);
  void finalize(Napi::Env env);

  Napi::Value tensors(const Napi::CallbackInfo& info);
  Napi::Value layers(const Napi::CallbackInfo& info);
  Napi::Value parameter_count(const Napi::CallbackInfo& info);
  Napi::Value memory_bytes(const Napi::CallbackInfo& info);
  Napi::Value plan_memory(const Napi::CallbackInfo& info);
  Napi::Value prepare(const Napi::CallbackInfo& info);
  Napi::Value set_solver(const Napi::CallbackInfo& info);
  Napi::Value train(const Napi::CallbackInfo& info);
  Napi::Value announce(const Napi::CallbackInfo& info);
  Napi::Value profile(const Napi::CallbackInfo& info);
  Napi::Value apply(const Napi::CallbackInfo& info);
  Napi::Value snapshot(const Napi::CallbackInfo& info);
  Napi::Value restore(const Napi::CallbackInfo& info);
  Napi::Value reshape(const Napi::CallbackInfo& info);
  Napi::Value close(const Napi::CallbackInfo& info);

 private:
  /// Queues a call; `prepare` reads the arguments and gives the work. What it throws rejects the promise.
  template <typename Result, typename Prepare>
  Napi::Value submit(Napi::Env env, Prepare prepare, typename CallJob<Result>::Convert convert);

  std::shared_ptr<ModelState> state_;
};

}  // namespace dl::addon
