#include "addon/engine.h"

#include <memory>
#include <utility>

#include "addon/devices.h"
#include "addon/error.h"
#include "addon/fields.h"
#include "addon/network_graph.h"
#include "addon/options.h"
#include "addon/plan_job.h"
#include "cpu/device.h"

namespace dl::addon {
namespace {

constexpr int64_t kMaxThreads = 1024;
constexpr int64_t kMaxQueueLength = 65536;
constexpr int64_t kMaxGpu = 1023;

}  // namespace

void Engine::define(Napi::Env env, Napi::Object exports) {
  using Self = Wrapped<Engine>;
  Self::define(env, exports,
               {Self::getter<&Engine::info>("info"), Self::method<&Engine::plan_memory>("planMemory"),
                Self::method<&Engine::close>("close")});
}

Engine::Engine(const Napi::CallbackInfo& info) {
  const Fields options = option_fields(info[0], "options");
  compute_threads_ =
      options.value("threads").IsNull() ? cpu::available_threads() : static_cast<int>(options.integer("threads", 1, kMaxThreads));
  const auto queue_length = static_cast<size_t>(options.integer("queueLength", 1, kMaxQueueLength));
  LeasedDevice leased = options.value("gpu").IsNull() ? lease_cpu() : lease_gpu(options.integer("gpu", 0, kMaxGpu));
  device_info_ = &leased.device.info();
  thread_ = EngineThread::start(info.Env(), std::move(leased), compute_threads_, queue_length);
}

Napi::Value Engine::info(const Napi::CallbackInfo& info) {
  Napi::Object object = Napi::Object::New(info.Env());
  set_device_info(info.Env(), object, *device_info_);
  object.Set("threads", compute_threads_);
  return object;
}

Napi::Value Engine::plan_memory(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const auto deferred = Napi::Promise::Deferred::New(env);
  reject_on_error(env, deferred, [&] {
    Graph graph(to_layers(info[0]), to_image_shape(info[1]));
    thread_->submit(env, std::make_unique<PlanJob>(deferred, std::move(graph), to_plan_options(info[2]), to_solver(info[3])));
  });
  return deferred.Promise();
}

Napi::Value Engine::close(const Napi::CallbackInfo& info) { return thread_->close(info.Env()); }

}  // namespace dl::addon
