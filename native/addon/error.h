#pragma once

#include <napi.h>

#include "engine/error.h"

namespace dl::addon {

/// The exception being handled as a dl::Error: std::bad_alloc is kOutOfMemory, anything foreign kInternal. Call it in a catch
/// block.
Error current_error() noexcept;

/// An EngineError of native/binding.ts: an Error with `reason` and `metadata`.
Napi::Error to_js(Napi::Env env, const Error& error);

/// The refusal of an argument, for instance "batchSize: is not an integer".
Error invalid_argument(const std::string& argument, const std::string& problem);

/// What a method of an object answers after its close().
Error closed(const std::string& what);

/// Calls `body`; whatever it throws becomes a pending JavaScript exception. Nothing leaves the addon's boundary as a C++
/// exception.
template <typename Body>
napi_value guarded(napi_env env, Body&& body) noexcept {
  try {
    try {
      return body();
    } catch (const Napi::Error& error) {
      error.ThrowAsJavaScriptException();
    } catch (...) {
      to_js(env, current_error()).ThrowAsJavaScriptException();
    }
  } catch (const Napi::Error&) {
    // Only an environment that is being torn down refuses to make an error: its JavaScript will not run again.
  }
  return nullptr;
}

/// Settles `deferred` with what `body` throws; does nothing where it returns.
template <typename Body>
void reject_on_error(Napi::Env env, const Napi::Promise::Deferred& deferred, Body&& body) {
  try {
    body();
  } catch (const Napi::Error& error) {
    deferred.Reject(error.Value());
  } catch (...) {
    deferred.Reject(to_js(env, current_error()).Value());
  }
}

}  // namespace dl::addon
