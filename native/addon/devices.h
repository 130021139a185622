#pragma once

#include <napi.h>

#include <memory>

#include "engine/backend.h"

namespace dl::addon {

/// A device that one engine computes on; the lease of a GPU ends with the last copy of `lease`.
struct LeasedDevice {
  Device& device;
  std::shared_ptr<void> lease;
};

/// The machine's processors; any number of engines may compute on them.
LeasedDevice lease_cpu();

/// A GPU by its index. Throws why it cannot be used, and kInvalidArgument where there is none of this index or an engine has it.
LeasedDevice lease_gpu(int64_t index);

/// GpuInfo of native/binding.ts for every GPU that was found, or one entry that says why there is none.
Napi::Value gpus(const Napi::CallbackInfo& info);

/// DeviceInfo of native/binding.ts without its problem.
void set_device_info(Napi::Env env, Napi::Object object, const DeviceInfo& device);

}  // namespace dl::addon
