#pragma once

#include <napi.h>

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "addon/devices.h"
#include "addon/job.h"
#include "addon/stop_at_exit.h"

namespace dl::addon {

/// The one thread of a device with its bounded queue. Jobs run in the order of the calls; their results come back to the
/// JavaScript thread through a typed thread-safe function. All public methods are for the JavaScript thread. docs/lifetimes.md
/// has the rules.
class EngineThread : public Stoppable {
 public:
  /// Starts the device's thread, which computes with `compute_threads` threads; `queue_length` jobs may wait beside the one that
  /// runs. When the last copy of the returned pointer is gone, the thread ends by itself.
  static std::shared_ptr<EngineThread> start(Napi::Env env, LeasedDevice device, int compute_threads, size_t queue_length);

  ~EngineThread() override;
  EngineThread(const EngineThread&) = delete;
  EngineThread& operator=(const EngineThread&) = delete;

  bool closed() const { return phase_ != Phase::kOpen; }

  /// Throws kQueueFull or kClosed. A job of the kind kRelease is taken while the engine is open.
  void submit(Napi::Env env, std::unique_ptr<Job> job);
  /// Looks again at a job that was not ready.
  void wake();
  /// Refuses the waiting jobs of a model with kClosed and puts `release` before all that wait.
  void release_first(Napi::Env env, std::unique_ptr<Job> release);
  /// Finishes the running job, refuses the waiting ones with kClosed, destroys all models, ends the thread; then the promise
  /// resolves.
  Napi::Promise close(Napi::Env env);
  void stop() override;

 private:
  static void on_notice(Napi::Env env, Napi::Function, EngineThread* self, Job* job);
  /// Carries finished jobs to the JavaScript thread; nullptr says that the thread has ended.
  using Notice = Napi::TypedThreadSafeFunction<EngineThread, Job, &EngineThread::on_notice>;
  enum class Phase { kOpen, kEnding, kEnded };

  EngineThread(LeasedDevice device, int compute_threads, size_t queue_length)
      : device_(std::move(device)), compute_threads_(compute_threads), queue_length_(queue_length) {}

  // Engine thread.
  void run() noexcept;
  std::unique_ptr<Job> next();
  void post(std::unique_ptr<Job> job);

  // JavaScript thread.
  template <typename Matches>
  std::vector<std::unique_ptr<Job>> take(Matches matches);
  void refuse(Napi::Env env, std::vector<std::unique_ptr<Job>> jobs);
  void settle(Napi::Env env, std::unique_ptr<Job> job);
  void end();
  void ended(Napi::Env env);
  void retain(Napi::Env env);
  void unretain(Napi::Env env);
  static void on_teardown(void* self) noexcept;

  LeasedDevice device_;
  const int compute_threads_;
  const size_t queue_length_;

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::unique_ptr<Job>> queue_;  // under mutex_
  bool ending_ = false;                     // under mutex_

  Running* running_ = nullptr;
  std::thread thread_;
  Notice notice_;
  Phase phase_ = Phase::kOpen;
  size_t outstanding_ = 0;  // jobs of the kind kWork that were submitted and not yet settled
  size_t awaited_ = 0;      // promises that keep the process alive
  std::vector<Napi::Promise::Deferred> closers_;
};

}  // namespace dl::addon
