#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/device.h"
#include "engine/error.h"

namespace dl {

/// A device, or why it cannot be used.
struct FoundDevice {
  std::unique_ptr<Device> device;
  std::string name;              // as far as it is known
  std::optional<Error> problem;  // where there is no device: kNoGpu, kCudnnMissing or kCublasMissing
};

/// What a backend that is a library of its own found on this machine: at least one entry.
using FoundDevices = std::vector<FoundDevice>;

/// The one entry of such a library. `abi` is the engine's DL_BACKEND_ABI, which the library compares with its own: false where it
/// was built from other headers, and then nothing else has happened.
using OpenBackend = bool (*)(const char* abi, FoundDevices* devices);
constexpr const char* kOpenBackend = "dl_open_backend";

/// The devices of the backend in this file; an entry that says why where the library cannot be used. What was opened stays open.
FoundDevices open_backend(const std::string& file);

}  // namespace dl
