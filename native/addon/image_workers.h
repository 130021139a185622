#pragma once

#include <napi.h>

#include <memory>

#include "addon/image_threads.h"
#include "addon/wrapped.h"

namespace dl::addon {

/// ImageWorkers of native/binding.ts: a lease of image threads.
class ImageWorkers {
 public:
  static constexpr const char* kName = "ImageWorkers";
  static constexpr napi_type_tag kTag{0x51d3a7f06b8e4c92, 0xe47c0b95d2683f1a};

  static void define(Napi::Env env, Napi::Object exports);

  explicit ImageWorkers(const Napi::CallbackInfo& info);
  void finalize(Napi::Env) { threads_.reset(); }

  Napi::Value prepare(const Napi::CallbackInfo& info);
  Napi::Value cancel(const Napi::CallbackInfo& info);
  Napi::Value close(const Napi::CallbackInfo& info);

 private:
  std::shared_ptr<ImageThreads> threads_;
};

}  // namespace dl::addon
