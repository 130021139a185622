#include "addon/stop_at_exit.h"

#include <cstdlib>

#include "addon/error.h"

namespace dl::addon {

void stop_all_at_exit(Napi::Env env) {
  env.SetInstanceData(new Running);
  const auto on_exit = Napi::Function::New(env, [](const Napi::CallbackInfo& info) {
    for (Stoppable* threads : *info.Env().GetInstanceData<Running>()) threads->stop();
  });
  const auto process = env.Global().Get("process").As<Napi::Object>();
  process.Get("once").As<Napi::Function>().Call(process, {Napi::String::New(env, "exit"), on_exit});
}

void exit_at_once(const Napi::CallbackInfo& info) {
  guarded(info.Env(), [&]() -> napi_value {
    if (!info[0].IsNumber()) throw invalid_argument("status", "is not a number");
    std::_Exit(info[0].As<Napi::Number>().Int32Value());
  });
}

}  // namespace dl::addon
