#include "addon/stop_at_exit.h"

namespace dl::addon {

void stop_all_at_exit(Napi::Env env) {
  env.SetInstanceData(new Running);
  const auto on_exit = Napi::Function::New(env, [](const Napi::CallbackInfo& info) {
    for (Stoppable* threads : *info.Env().GetInstanceData<Running>()) threads->stop();
  });
  const auto process = env.Global().Get("process").As<Napi::Object>();
  process.Get("once").As<Napi::Function>().Call(process, {Napi::String::New(env, "exit"), on_exit});
}

}  // namespace dl::addon
