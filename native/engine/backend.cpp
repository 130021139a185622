#include "engine/backend.h"

#include <filesystem>

#include "engine/shared_library.h"

namespace dl {
namespace {

FoundDevices unusable(const std::string& problem, const std::string& remedy) {
  FoundDevices found;
  found.push_back({nullptr, "", Error(Reason::kNoGpu, problem, {{"remedy", remedy}})});
  return found;
}

}  // namespace

FoundDevices open_backend(const std::string& file) {
  constexpr const char* kBuild = "build it with: npm run build:cuda";
  std::error_code ignored;
  if (!std::filesystem::exists(file, ignored)) return unusable("the CUDA backend has not been built", kBuild);
  const SharedLibrary library({file});
  if (!library.opened()) return unusable("the CUDA backend cannot be loaded: " + library.problem(), kBuild);
  const auto open = reinterpret_cast<OpenBackend>(library.symbol(kOpenBackend));
  FoundDevices found;
  if (open == nullptr || !open(DL_BACKEND_ABI, &found))
    return unusable("the CUDA backend " + file + " was built from other sources than the engine", kBuild);
  return found;
}

}  // namespace dl
