#pragma once

#include <napi.h>

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "engine/error.h"
#include "engine/model.h"

namespace dl::addon {

/// The tensors of a restore() on their way from JavaScript memory, which JavaScript may detach or collect, to memory of the
/// engine. They are copied on the JavaScript thread, a slice a turn of the event loop, so that the weights of a large network do
/// not hold it up; the job waits in its place of the queue until the last slice is there.
class TensorIntake {
 public:
  /// JavaScript thread. Checks all tensors (kInvalidArgument) and copies the first slice; `on_ready` is called on the JavaScript
  /// thread after the last one. The data must not change until then.
  static std::shared_ptr<TensorIntake> start(Napi::Env env, const Napi::Value& tensors, std::function<void()> on_ready);

  /// Any thread.
  const std::atomic<bool>& ready() const { return ready_; }

  /// Engine thread, once ready. Throws what went wrong with the copy.
  const std::vector<NamedTensor>& tensors() const;

 private:
  struct Copy;
  static void proceed(Napi::Env env, const std::shared_ptr<Copy>& copy);

  std::vector<NamedTensor> tensors_;
  std::optional<Error> error_;
  std::atomic<bool> ready_ = false;
};

}  // namespace dl::addon
