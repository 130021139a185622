#pragma once

#include "engine/device.h"

namespace dl::test {

/// What GPU number `index` computes with in truth.
Device& computing_device(int index);

/// The precision that it takes for this one of a GPU.
Precision computed_precision(Precision precision);

}  // namespace dl::test
