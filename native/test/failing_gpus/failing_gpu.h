#pragma once

#include <memory>

#include "engine/device.h"

namespace dl::test {

/// A GPU that fails or computes wrong where a test wants it. What it computes with is computing_device().
std::unique_ptr<Device> make_failing_gpu(int index);

}  // namespace dl::test
