#pragma once

#include <napi.h>

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "addon/image_job.h"
#include "addon/stop_at_exit.h"

namespace dl::addon {

/// Threads that decode, resize and vary images, with one bounded queue. They are none of libuv's, so that files and other calls
/// are served meanwhile. Jobs begin in the order of the calls and end in any. All public methods are for the JavaScript thread;
/// the rules of EngineThread hold here, too.
class ImageThreads : public Stoppable {
 public:
  /// When the last copy of the returned pointer is gone, the threads end by themselves.
  static std::shared_ptr<ImageThreads> start(Napi::Env env, int threads, size_t queue_length);

  ~ImageThreads() override;
  ImageThreads(const ImageThreads&) = delete;
  ImageThreads& operator=(const ImageThreads&) = delete;

  /// Throws kQueueFull, where `queue_length` jobs wait beside those that run, or kClosed.
  void submit(Napi::Env env, std::unique_ptr<ImageJob> job);
  /// Refuses the waiting jobs of this group with kCancelled; those that run may end early.
  void cancel(Napi::Env env, int64_t group);
  /// Finishes the running jobs, refuses the waiting ones with kClosed, ends the threads; then the promise resolves.
  Napi::Promise close(Napi::Env env);
  void stop() override;

 private:
  static void on_notice(Napi::Env env, Napi::Function, ImageThreads* self, ImageJob* job);
  /// Carries finished jobs to the JavaScript thread; nullptr says that the last thread has ended.
  using Notice = Napi::TypedThreadSafeFunction<ImageThreads, ImageJob, &ImageThreads::on_notice>;
  using Queue = std::deque<std::unique_ptr<ImageJob>>;

  ImageThreads(int threads, size_t queue_length) : count_(threads), queue_length_(queue_length) {}

  // An image thread.
  void run() noexcept;
  std::unique_ptr<ImageJob> next();
  void post(std::unique_ptr<ImageJob> job);

  // JavaScript thread.
  void settle(Napi::Env env, std::unique_ptr<ImageJob> job);
  void refuse(Napi::Env env, Queue jobs, const Error& error);
  void end();
  void ended(Napi::Env env);
  void retain(Napi::Env env);
  void unretain(Napi::Env env);
  static void on_teardown(void* self) noexcept;

  const int count_;
  const size_t queue_length_;

  std::mutex mutex_;
  std::condition_variable wake_;
  Queue queue_;                     // under mutex_
  std::vector<ImageJob*> working_;  // under mutex_: those that run
  bool ending_ = false;             // under mutex_
  int alive_ = 0;                   // under mutex_: threads that have not ended

  Running* running_ = nullptr;
  std::vector<std::thread> threads_;
  Notice notice_;
  bool closed_ = false;
  bool ended_ = false;
  size_t outstanding_ = 0;  // jobs that were submitted and not yet settled
  size_t awaited_ = 0;      // promises that keep the process alive
  std::vector<Napi::Promise::Deferred> closers_;
};

}  // namespace dl::addon
