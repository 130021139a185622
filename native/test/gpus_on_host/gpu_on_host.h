#pragma once

#include <memory>

#include "engine/device.h"

namespace dl::test {

/// A device that says that it is a GPU, computes on the host, and fails or computes wrong where a test wants it.
std::unique_ptr<Device> make_gpu_on_host(int index);

}  // namespace dl::test
