#pragma once

#include <cstdint>

#include "engine/device.h"

namespace dl::test {

/// What GPU number `index` computes with in truth.
Device& computing_device(int index);

/// The precision that it takes for this one of a GPU.
Precision computed_precision(Precision precision);

/// Loses the device of the calling thread, or throws what the engine throws who finds it lost.
void lose_device();

/// Takes all memory of the GPU but so many bytes, until release_memory(); or throws what the engine throws who finds no more.
void take_memory(int index, int64_t bytes_left);
void release_memory(int index);

}  // namespace dl::test
