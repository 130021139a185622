#include "addon/image_workers.h"

#include "addon/error.h"
#include "addon/fields.h"
#include "cpu/device.h"

namespace dl::addon {
namespace {

constexpr int64_t kMaxThreads = 1024;
constexpr int64_t kMaxQueueLength = 65536;

}  // namespace

void ImageWorkers::define(Napi::Env env, Napi::Object exports) {
  using Self = Wrapped<ImageWorkers>;
  Self::define(env, exports,
               {Self::method<&ImageWorkers::prepare>("prepare"), Self::method<&ImageWorkers::cancel>("cancel"),
                Self::method<&ImageWorkers::close>("close")});
}

ImageWorkers::ImageWorkers(const Napi::CallbackInfo& info) {
  const Fields options = option_fields(info[0], "options");
  const int threads =
      options.value("threads").IsNull() ? cpu::available_threads() : static_cast<int>(options.integer("threads", 1, kMaxThreads));
  threads_ = ImageThreads::start(info.Env(), threads, static_cast<size_t>(options.integer("queueLength", 1, kMaxQueueLength)));
}

Napi::Value ImageWorkers::prepare(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const auto deferred = Napi::Promise::Deferred::New(env);
  reject_on_error(env, deferred, [&] { threads_->submit(env, std::make_unique<ImageJob>(env, info[0], deferred)); });
  return deferred.Promise();
}

Napi::Value ImageWorkers::cancel(const Napi::CallbackInfo& info) {
  if (!info[0].IsNumber()) throw invalid_argument("group", "is not a number");
  threads_->cancel(info.Env(), info[0].As<Napi::Number>().Int64Value());
  return info.Env().Undefined();
}

Napi::Value ImageWorkers::close(const Napi::CallbackInfo& info) { return threads_->close(info.Env()); }

}  // namespace dl::addon
