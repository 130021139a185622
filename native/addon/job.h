#pragma once

#include <napi.h>

#include "addon/model_table.h"
#include "engine/error.h"

namespace dl::addon {

/// A piece of work for the engine thread. It is made, settled and destroyed on the JavaScript thread and run between on the
/// engine thread; it holds copies or C++ objects only, never a reference to a JavaScript value.
class Job {
 public:
  enum class Kind {
    kWork,      // counts against the queue's bound; refused when its model or its engine is closed
    kAllocate,  // the making of a model: not counted, nobody awaits it; dropped when its model or its engine is closed
    kRelease,   // frees a model: not counted and always run
  };

  Job(Kind kind, ModelKey model) : kind_(kind), model_(model) {}
  virtual ~Job() = default;
  Job(const Job&) = delete;
  Job& operator=(const Job&) = delete;

  Kind kind() const { return kind_; }
  ModelKey model() const { return model_; }
  /// Whether it can run now. A job that cannot waits in its place, and the jobs behind it wait, too. Any thread.
  virtual bool ready() const { return true; }
  /// Whether a promise is to be settled: the process stays alive until then.
  virtual bool awaited() const = 0;

  /// Engine thread. Failures are kept for settle().
  virtual void run(ModelTable& models) noexcept = 0;
  /// JavaScript thread, after run().
  virtual void settle(Napi::Env env) = 0;
  /// JavaScript thread, instead of run() and settle().
  virtual void refuse(Napi::Env env, const Error& error) = 0;

 private:
  const Kind kind_;
  const ModelKey model_;
};

}  // namespace dl::addon
