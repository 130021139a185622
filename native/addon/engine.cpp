#include "addon/engine.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

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
  thread_ = EngineThread::start(info.Env(), cpu::device(), compute_threads_, queue_length);
}

Napi::Value Engine::info(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const DeviceInfo& device = cpu::device().info();
  std::vector<std::string> precisions;
  for (const Precision precision : device.precisions) precisions.emplace_back(precision_name(precision));
  Napi::Object object = Napi::Object::New(env);
  object.Set("deviceName", device.name);
  object.Set("threads", compute_threads_);
  object.Set("memoryBytes", static_cast<double>(device.memory_bytes));
  object.Set("precisions", to_js_strings(env, precisions));
  object.Set("libraries", to_js_strings(env, device.libraries));
  object.Set("instructionSet", device.instruction_set);
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
