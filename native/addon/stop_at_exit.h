#pragma once

#include <napi.h>

#include <set>

namespace dl::addon {

/// Something with threads that must have stopped before C++'s static destructors run: a process that ends by process.exit() or by
/// an uncaught exception runs those, but no clean-up hooks.
class Stoppable {
 public:
  virtual ~Stoppable() = default;
  /// JavaScript thread: drops what waits, finishes what runs, joins the threads. Repeated calls are allowed.
  virtual void stop() = 0;
};

/// The environment's threads that have not ended.
using Running = std::set<Stoppable*>;

/// Once an environment, when the addon is loaded: stops all of them at the event `exit`.
void stop_all_at_exit(Napi::Env env);

/// exitAtOnce of native/binding.ts.
void exit_at_once(const Napi::CallbackInfo& info);

}  // namespace dl::addon
