#include "addon/image_threads.h"

#include <pthread.h>

#include <algorithm>
#include <iterator>
#include <string>
#include <utility>

#include "addon/error.h"

namespace dl::addon {

std::shared_ptr<ImageThreads> ImageThreads::start(Napi::Env env, int threads, size_t queue_length) {
  const std::shared_ptr<ImageThreads> self(new ImageThreads(threads, queue_length));
  // The finalizer's copy keeps the object until the last notice has been delivered, whatever JavaScript has dropped by then.
  auto keep = std::make_unique<std::shared_ptr<ImageThreads>>(self);
  self->notice_ = Notice::New(
      env, "dl_images", 0, 1, self.get(), [](Napi::Env, std::shared_ptr<ImageThreads>* kept, ImageThreads*) { delete kept; },
      keep.get());
  keep.release();
  self->notice_.Unref(env);
  try {
    for (int i = 0; i < threads; ++i) {
      {
        const std::lock_guard lock(self->mutex_);
        ++self->alive_;
      }
      try {
        self->threads_.emplace_back(&ImageThreads::run, self.get());
      } catch (...) {
        const std::lock_guard lock(self->mutex_);
        --self->alive_;
        throw;
      }
    }
  } catch (...) {
    self->stop();
    self->notice_.Release();
    throw;
  }
  self->running_ = env.GetInstanceData<Running>();
  self->running_->insert(self.get());
  napi_add_env_cleanup_hook(env, on_teardown, self.get());
  return std::shared_ptr<ImageThreads>(self.get(), [self](ImageThreads* images) { images->end(); });
}

ImageThreads::~ImageThreads() {
  for (std::thread& thread : threads_) {
    if (thread.joinable()) thread.join();
  }
}

// ---- an image thread

void ImageThreads::run() noexcept {
  pthread_setname_np(pthread_self(), "dl_images");
  while (std::unique_ptr<ImageJob> job = next()) {
    job->run();
    {
      const std::lock_guard lock(mutex_);
      std::erase(working_, job.get());
    }
    post(std::move(job));
  }
  const std::lock_guard lock(mutex_);
  if (--alive_ == 0) post(nullptr);
}

std::unique_ptr<ImageJob> ImageThreads::next() {
  std::unique_lock lock(mutex_);
  wake_.wait(lock, [this] { return ending_ || !queue_.empty(); });
  if (queue_.empty()) return nullptr;
  std::unique_ptr<ImageJob> job = std::move(queue_.front());
  queue_.pop_front();
  working_.push_back(job.get());
  return job;
}

void ImageThreads::post(std::unique_ptr<ImageJob> job) {
  // Fails only when the environment is gone: then nobody is left to tell, and the job is freed here.
  if (notice_.NonBlockingCall(job.get()) == napi_ok) job.release();
}

// ---- JavaScript thread

void ImageThreads::submit(Napi::Env env, std::unique_ptr<ImageJob> job) {
  if (closed_) throw addon::closed("image workers");
  if (outstanding_ >= queue_length_ + static_cast<size_t>(count_)) {
    throw Error(Reason::kQueueFull, "the queue of " + std::to_string(queue_length_) + " images is full",
                {{"queue_length", std::to_string(queue_length_)}});
  }
  {
    const std::lock_guard lock(mutex_);
    queue_.push_back(std::move(job));
  }
  ++outstanding_;
  retain(env);
  wake_.notify_one();
}

void ImageThreads::cancel(Napi::Env env, int64_t group) {
  Queue waiting;
  {
    const std::lock_guard lock(mutex_);
    for (ImageJob* job : working_) {
      if (job->group() == group) job->cancel();
    }
    const auto first =
        std::stable_partition(queue_.begin(), queue_.end(), [&](const auto& job) { return job->group() != group; });
    waiting.assign(std::make_move_iterator(first), std::make_move_iterator(queue_.end()));
    queue_.erase(first, queue_.end());
  }
  refuse(env, std::move(waiting), Error(Reason::kCancelled, "the image is no longer wanted"));
}

Napi::Promise ImageThreads::close(Napi::Env env) {
  const auto deferred = Napi::Promise::Deferred::New(env);
  if (ended_) {
    deferred.Resolve(env.Undefined());
    return deferred.Promise();
  }
  closers_.push_back(deferred);
  retain(env);
  Queue waiting;
  {
    const std::lock_guard lock(mutex_);
    waiting.swap(queue_);
  }
  end();
  refuse(env, std::move(waiting), addon::closed("image workers"));
  return deferred.Promise();
}

void ImageThreads::refuse(Napi::Env env, Queue jobs, const Error& error) {
  for (const std::unique_ptr<ImageJob>& job : jobs) {
    --outstanding_;
    unretain(env);
    job->refuse(env, error);
  }
}

void ImageThreads::on_notice(Napi::Env env, Napi::Function, ImageThreads* self, ImageJob* job) {
  std::unique_ptr<ImageJob> finished(job);
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

void ImageThreads::settle(Napi::Env env, std::unique_ptr<ImageJob> job) {
  --outstanding_;
  unretain(env);
  job->settle(env);
}

void ImageThreads::end() {
  closed_ = true;
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  wake_.notify_all();
}

void ImageThreads::ended(Napi::Env env) {
  if (ended_) return;  // stopped by the end of the process, or never quite started
  stop();              // the last thread's last act was the notice that led here
  running_->erase(this);
  napi_remove_env_cleanup_hook(env, on_teardown, this);
  notice_.Release();
  for (const Napi::Promise::Deferred& closer : std::exchange(closers_, {})) {
    unretain(env);
    closer.Resolve(env.Undefined());
  }
}

void ImageThreads::retain(Napi::Env env) {
  if (awaited_++ == 0) notice_.Ref(env);
}

void ImageThreads::unretain(Napi::Env env) {
  if (--awaited_ == 0 && !ended_) notice_.Unref(env);
}

void ImageThreads::stop() {
  Queue dropped;
  closed_ = true;
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
    dropped.swap(queue_);
    for (ImageJob* job : working_) job->cancel();
  }
  wake_.notify_all();
  for (std::thread& thread : threads_) {
    if (thread.joinable()) thread.join();
  }
  ended_ = true;
}

void ImageThreads::on_teardown(void* data) noexcept {
  auto* self = static_cast<ImageThreads*>(data);
  self->stop();
  self->running_->erase(self);
  self->notice_.Release();
}

}  // namespace dl::addon
