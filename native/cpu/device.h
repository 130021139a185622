#pragma once

#include "engine/device.h"

namespace dl::cpu {

/// The machine's processors, by oneDNN and the own kernels. Any number of threads may compute on it, each with its own models.
Device& device();

/// Threads that the process may use: its processor affinity and, where one is set, its cgroup's quota.
int available_threads();

}  // namespace dl::cpu
