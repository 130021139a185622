#pragma once

#include <string>

namespace dl::test {

/// Whether the test wants this fault of this GPU now: whether the folder DL_GPU_FAULTS has a file `<fault>-<index>`.
bool has_fault(const std::string& fault, int index);

/// Before each use of the GPU, on its thread: loses the device, takes its memory or does not return, where the test wants that.
/// Throws kDeviceLost or kOutOfMemory where what computes would not find out by itself.
void meet_faults(int index);

/// The number in this variable of the environment.
long long environment_number(const char* name, long long otherwise);

}  // namespace dl::test
