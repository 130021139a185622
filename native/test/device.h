#pragma once

#include "engine/device.h"

namespace dl::test {

/// The device under test.
Device& device();

}  // namespace dl::test
