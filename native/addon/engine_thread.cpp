#include "addon/engine_thread.h"

#include <pthread.h>

#include <algorithm>
#include <iterator>
#include <string>
#include <utility>

#include "addon/error.h"

namespace dl::addon {

std::shared_ptr<EngineThread> EngineThread::start(Napi::Env env, LeasedDevice device, int compute_threads, size_t queue_length) {
  const std::shared_ptr<EngineThread> self(new EngineThread(std::move(device), compute_threads, queue_length));
  // The finalizer's copy keeps the object until the last notice has been delivered, whatever JavaScript has dropped by then.
  auto keep = std::make_unique<std::shared_ptr<EngineThread>>(self);
  self->notice_ = Notice::New(
      env, "dl_engine", 0, 1, self.get(), [](Napi::Env, std::shared_ptr<EngineThread>* kept, EngineThread*) { delete kept; },
      keep.get());
  keep.release();
  self->notice_.Unref(env);
  try {
    self->thread_ = std::thread(&EngineThread::run, self.get());
  } catch (...) {
    self->notice_.Release();
    throw;
  }
  self->running_ = env.GetInstanceData<Running>();
  self->running_->insert(self.get());
  // Hooks run last in, first out: this one joins the thread before the environment closes the thread-safe function.
  napi_add_env_cleanup_hook(env, on_teardown, self.get());
  // A lease: the users of the thread share it, and the last one to go ends the thread.
  return std::shared_ptr<EngineThread>(self.get(), [self](EngineThread* thread) { thread->end(); });
}

EngineThread::~EngineThread() {
  if (thread_.joinable()) thread_.join();
}

// ---- engine thread

void EngineThread::run() noexcept {
  pthread_setname_np(pthread_self(), "dl_engine");
  {
    ModelTable models(device_.device);
    models.begin(compute_threads_);
    while (std::unique_ptr<Job> job = next()) {
      job->run(models);
      post(std::move(job));
    }
  }
  post(nullptr);
}

std::unique_ptr<Job> EngineThread::next() {
  std::unique_lock lock(mutex_);
  wake_.wait(lock, [this] { return ending_ || (!queue_.empty() && queue_.front()->ready()); });
  if (queue_.empty()) return nullptr;
  std::unique_ptr<Job> job = std::move(queue_.front());
  queue_.pop_front();
  return job;
}

void EngineThread::post(std::unique_ptr<Job> job) {
  // Fails only when the environment is gone: then nobody is left to tell, and the job is freed here.
  if (notice_.NonBlockingCall(job.get()) == napi_ok) job.release();
}

// ---- JavaScript thread

void EngineThread::submit(Napi::Env env, std::unique_ptr<Job> job) {
  if (closed()) throw addon::closed("engine");
  const bool counted = job->kind() == Job::Kind::kWork;
  if (counted && outstanding_ > queue_length_) {
    throw Error(Reason::kQueueFull, "the engine's queue of " + std::to_string(queue_length_) + " jobs is full",
                {{"queue_length", std::to_string(queue_length_)}});
  }
  const bool awaited = job->awaited();
  {
    const std::lock_guard lock(mutex_);
    queue_.push_back(std::move(job));
  }
  if (counted) ++outstanding_;
  if (awaited) retain(env);
  wake_.notify_one();
}

void EngineThread::wake() {
  // The engine thread looks under the mutex: it cannot miss what was set before.
  { const std::lock_guard lock(mutex_); }
  wake_.notify_one();
}

void EngineThread::release_first(Napi::Env env, std::unique_ptr<Job> release) {
  const ModelKey model = release->model();
  std::vector<std::unique_ptr<Job>> refused =
      take([model](const Job& job) { return job.model() == model && job.kind() != Job::Kind::kRelease; });
  if (release->awaited()) retain(env);
  {
    const std::lock_guard lock(mutex_);
    queue_.push_front(std::move(release));
  }
  wake_.notify_one();
  refuse(env, std::move(refused));
}

Napi::Promise EngineThread::close(Napi::Env env) {
  const auto deferred = Napi::Promise::Deferred::New(env);
  if (phase_ == Phase::kEnded) {
    deferred.Resolve(env.Undefined());
    return deferred.Promise();
  }
  closers_.push_back(deferred);
  retain(env);
  std::vector<std::unique_ptr<Job>> refused = take([](const Job& job) { return job.kind() != Job::Kind::kRelease; });
  end();
  refuse(env, std::move(refused));
  return deferred.Promise();
}

template <typename Matches>
std::vector<std::unique_ptr<Job>> EngineThread::take(Matches matches) {
  const std::lock_guard lock(mutex_);
  const auto first = std::stable_partition(queue_.begin(), queue_.end(), [&](const auto& job) { return !matches(*job); });
  std::vector<std::unique_ptr<Job>> taken(std::make_move_iterator(first), std::make_move_iterator(queue_.end()));
  queue_.erase(first, queue_.end());
  return taken;
}

void EngineThread::refuse(Napi::Env env, std::vector<std::unique_ptr<Job>> jobs) {
  const Error error = addon::closed("engine or the model");
  for (const std::unique_ptr<Job>& job : jobs) {
    if (job->kind() == Job::Kind::kWork) --outstanding_;
    if (job->awaited()) unretain(env);
    job->refuse(env, error);
  }
}

void EngineThread::on_notice(Napi::Env env, Napi::Function, EngineThread* self, Job* job) {
  std::unique_ptr<Job> finished(job);
  if (env == nullptr) return;  // teardown: the job is freed, no JavaScript is touched
  guarded(env, [&]() -> napi_value {
    if (finished == nullptr) {
      self->ended(env);
    } else {
      self->settle(env, std::move(finished));
    }
    return nullptr;
  });
}

void EngineThread::settle(Napi::Env env, std::unique_ptr<Job> job) {
  if (job->kind() == Job::Kind::kWork) --outstanding_;
  if (job->awaited()) unretain(env);
  job->settle(env);
}

void EngineThread::end() {
  if (phase_ != Phase::kOpen) return;
  phase_ = Phase::kEnding;
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  wake_.notify_one();
}

void EngineThread::ended(Napi::Env env) {
  stop();  // the thread's last act was the notice that led here
  running_->erase(this);
  napi_remove_env_cleanup_hook(env, on_teardown, this);
  notice_.Release();
  for (const Napi::Promise::Deferred& closer : std::exchange(closers_, {})) closer.Resolve(env.Undefined());
}

void EngineThread::retain(Napi::Env env) {
  if (awaited_++ == 0) notice_.Ref(env);
}

void EngineThread::unretain(Napi::Env env) {
  if (--awaited_ == 0) notice_.Unref(env);
}

void EngineThread::stop() {
  std::deque<std::unique_ptr<Job>> dropped;
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
    dropped.swap(queue_);
  }
  wake_.notify_one();
  if (thread_.joinable()) thread_.join();  // waits for the running job: a step cannot be cut
  phase_ = Phase::kEnded;
}

void EngineThread::on_teardown(void* data) noexcept {
  auto* self = static_cast<EngineThread*>(data);
  self->stop();
  self->running_->erase(self);
  self->notice_.Release();
}

}  // namespace dl::addon
