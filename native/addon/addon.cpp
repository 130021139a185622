#include <napi.h>

#include "addon/devices.h"
#include "addon/engine.h"
#include "addon/image_table.h"
#include "addon/image_workers.h"
#include "addon/model.h"
#include "addon/staging_buffer.h"
#include "addon/stop_at_exit.h"

/// What the addon exports: `Binding` of native/binding.ts, and the version of the package that it was built from.
static Napi::Object init(Napi::Env env, Napi::Object exports) {
  exports.Set("version", DL_CLASSIFIER_VERSION);
  dl::addon::stop_all_at_exit(env);
  exports.Set("gpus", Napi::Function::New<dl::addon::gpus>(env, "gpus"));
  exports.Set("exitAtOnce", Napi::Function::New<dl::addon::exit_at_once>(env, "exitAtOnce"));
  dl::addon::Engine::define(env, exports);
  dl::addon::StagingBuffer::define(env, exports);
  dl::addon::ImageTable::define(env, exports);
  dl::addon::ModelObject::define(env, exports);
  dl::addon::ImageWorkers::define(env, exports);
  return exports;
}

NODE_API_MODULE(dl_engine_addon, init)
