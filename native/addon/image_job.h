#pragma once

#include <napi.h>

#include <atomic>
#include <memory>
#include <optional>

#include "addon/error.h"
#include "addon/staging_buffer.h"
#include "images/prepare.h"

namespace dl::addon {

/// One image for the image threads: made, settled and destroyed on the JavaScript thread, run on one of theirs. It holds the
/// memory of both buffers and keeps them from being written by anyone else.
class ImageJob {
 public:
  /// `request` is an ImageRequest of native/binding.ts; throws kInvalidArgument, and kClosed for a closed buffer.
  ImageJob(Napi::Env env, const Napi::Value& request, Napi::Promise::Deferred deferred);

  int64_t group() const { return group_; }
  /// Any thread: the job may end early, with kCancelled.
  void cancel() { cancelled_.store(true, std::memory_order_relaxed); }

  /// An image thread. Failures are kept for settle().
  void run() noexcept {
    try {
      images::prepare(task_, {}, cancelled_, result_);
    } catch (...) {
      error_.emplace(current_error());
    }
  }

  /// JavaScript thread, after run().
  void settle(Napi::Env env) {
    if (error_) return refuse(env, *error_);
    deferred_.Resolve(env.Undefined());
  }

  /// JavaScript thread, instead of run() and settle().
  void refuse(Napi::Env env, const Error& error) { deferred_.Reject(to_js(env, error).Value()); }

 private:
  const Napi::Promise::Deferred deferred_;
  StagedBytes source_;
  StagedBytes target_;
  images::ImageTask task_;
  std::span<uint8_t> result_;
  int64_t group_ = 0;
  std::atomic<bool> cancelled_{false};
  std::optional<Error> error_;
};

}  // namespace dl::addon
