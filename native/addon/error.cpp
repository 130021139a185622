#include "addon/error.h"

#include <new>

namespace dl::addon {
namespace {

/// The names of EngineReason in native/binding.ts.
const char* reason_name(Reason reason) {
  switch (reason) {
    case Reason::kInvalidGraph:
      return "INVALID_GRAPH";
    case Reason::kInvalidArgument:
      return "INVALID_ARGUMENT";
    case Reason::kStepDiverged:
      return "STEP_DIVERGED";
    case Reason::kImageOutOfRange:
      return "IMAGE_OUT_OF_RANGE";
    case Reason::kImageUndecodable:
      return "IMAGE_UNDECODABLE";
    case Reason::kWrongImageWidth:
      return "WRONG_IMAGE_WIDTH";
    case Reason::kWrongImageHeight:
      return "WRONG_IMAGE_HEIGHT";
    case Reason::kWrongImageChannels:
      return "WRONG_IMAGE_CHANNELS";
    case Reason::kCancelled:
      return "CANCELLED";
    case Reason::kOutOfMemory:
      return "OUT_OF_MEMORY";
    case Reason::kNoGpu:
      return "NO_GPU";
    case Reason::kCudnnMissing:
      return "CUDNN_MISSING";
    case Reason::kCublasMissing:
      return "CUBLAS_MISSING";
    case Reason::kDeviceLost:
      return "DEVICE_LOST";
    case Reason::kQueueFull:
      return "QUEUE_FULL";
    case Reason::kClosed:
      return "CLOSED";
    case Reason::kInternal:
      return "INTERNAL";
  }
  return "INTERNAL";
}

}  // namespace

Error current_error() noexcept {
  try {
    throw;
  } catch (const Error& error) {
    return error;
  } catch (const std::bad_alloc&) {
    return Error(Reason::kOutOfMemory, "memory is exhausted");
  } catch (const std::exception& error) {
    return Error(Reason::kInternal, error.what());
  } catch (...) {
    return Error(Reason::kInternal, "an exception of unknown type was thrown");
  }
}

Napi::Error to_js(Napi::Env env, const Error& error) {
  Napi::Object metadata = Napi::Object::New(env);
  for (const auto& [key, value] : error.metadata()) metadata.Set(key, value);
  Napi::Error js_error = Napi::Error::New(env, error.what());
  js_error.Set("name", "EngineError");
  js_error.Set("reason", reason_name(error.reason()));
  js_error.Set("metadata", metadata);
  return js_error;
}

Error invalid_argument(const std::string& argument, const std::string& problem) {
  return Error(Reason::kInvalidArgument, argument + ": " + problem, {{"argument", argument}});
}

Error closed(const std::string& what) { return Error(Reason::kClosed, "the " + what + " was closed"); }

}  // namespace dl::addon
