#pragma once

#include <map>
#include <stdexcept>
#include <string>

namespace dl {

/// Why the engine refused. The names are those of `EngineReason` in native/binding.ts.
enum class Reason {
  kInvalidGraph,
  kInvalidArgument,
  kStepDiverged,
  kImageOutOfRange,
  kImageUndecodable,
  kWrongImageWidth,
  kWrongImageHeight,
  kWrongImageChannels,
  kCancelled,
  kOutOfMemory,
  kNoGpu,
  kCudnnMissing,
  kCublasMissing,
  kDeviceLost,
  kQueueFull,
  kClosed,
  kInternal,
};

using Metadata = std::map<std::string, std::string>;

/// The engine's one exception. Whoever throws it has changed nothing.
class Error : public std::runtime_error {
 public:
  Error(Reason reason, const std::string& message, Metadata metadata = {})
      : std::runtime_error(message), reason_(reason), metadata_(std::move(metadata)) {}

  Reason reason() const { return reason_; }
  const Metadata& metadata() const { return metadata_; }

 private:
  Reason reason_;
  Metadata metadata_;
};

}  // namespace dl
