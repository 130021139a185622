#include "addon/devices.h"

#include <dlfcn.h>

#include <cstdlib>
#include <filesystem>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "addon/error.h"
#include "addon/options.h"
#include "cpu/device.h"

namespace dl::addon {
namespace {

/// The CUDA backend lies beside the addon; the tests name another one.
std::string backend_file() {
  const char* named = std::getenv("DL_CLASSIFIER_CUDA_BACKEND");
  if (named != nullptr && *named != '\0') return named;
  Dl_info here{};
  dladdr(reinterpret_cast<const void*>(&backend_file), &here);
  return std::filesystem::path(here.dli_fname).parent_path() / "dl_cuda.so";
}

/// Found once in the life of the process, and never destroyed: when it ends, what a device would be given back to, NVIDIA's
/// libraries, may have ended before.
FoundDevices& found_gpus() {
  static FoundDevices& found = *new FoundDevices(open_backend(backend_file()));
  return found;
}

std::mutex leases_mutex;
std::set<int64_t> leased_gpus;  // under leases_mutex

}  // namespace

LeasedDevice lease_cpu() { return {cpu::device(), nullptr}; }

LeasedDevice lease_gpu(int64_t index) {
  FoundDevices& found = found_gpus();
  const FoundDevice& first = found.front();
  if (first.device == nullptr && first.name.empty()) throw *first.problem;
  if (index >= static_cast<int64_t>(found.size()))
    throw invalid_argument("gpu", "there are " + std::to_string(found.size()) + ", counted from 0");
  const FoundDevice& gpu = found[static_cast<size_t>(index)];
  if (gpu.problem) throw *gpu.problem;
  const std::lock_guard lock(leases_mutex);
  if (!leased_gpus.insert(index).second) throw invalid_argument("gpu", "another engine computes on it");
  std::shared_ptr<void> lease(gpu.device.get(), [index](void*) {
    const std::lock_guard ended(leases_mutex);
    leased_gpus.erase(index);
  });
  return {*gpu.device, std::move(lease)};
}

void set_device_info(Napi::Env env, Napi::Object object, const DeviceInfo& device) {
  std::vector<std::string> precisions;
  for (const Precision precision : device.precisions) precisions.emplace_back(precision_name(precision));
  object.Set("deviceName", device.name);
  object.Set("memoryBytes", static_cast<double>(device.memory_bytes));
  object.Set("precisions", to_js_strings(env, precisions));
  object.Set("libraries", to_js_strings(env, device.libraries));
  object.Set("instructionSet", device.instruction_set);
}

Napi::Value gpus(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const FoundDevices& found = found_gpus();
  Napi::Array array = Napi::Array::New(env, found.size());
  for (uint32_t i = 0; i < array.Length(); ++i) {
    const FoundDevice& gpu = found[i];
    DeviceInfo device;
    device.name = gpu.name;
    Napi::Object object = Napi::Object::New(env);
    set_device_info(env, object, gpu.device ? gpu.device->info() : device);
    object.Set("problem", gpu.problem ? to_js(env, *gpu.problem).Value() : env.Null());
    array.Set(i, object);
  }
  return array;
}

}  // namespace dl::addon
