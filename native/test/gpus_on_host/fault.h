#pragma once

#include <string>

namespace dl::test {

/// Whether the test wants this fault of this GPU now: whether the folder DL_GPU_FAULTS has a file `<fault>-<index>`.
bool has_fault(const std::string& fault, int index);

/// Throws kDeviceLost or kOutOfMemory, or does not return, where the test wants that.
void throw_faults(int index);

/// The number in this variable of the environment.
long long environment_number(const char* name, long long otherwise);

}  // namespace dl::test
