#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/model.h"

namespace dl::cpu {

/// What the CPU backend found.
struct DeviceInfo {
  std::string name;                    // of the processor
  std::string instruction_set;         // of the engine's own kernels: "avx512", "avx2" or "baseline"
  std::vector<Precision> precisions;   // bfloat16 only where oneDNN computes in it
  std::vector<std::string> libraries;  // for instance "oneDNN 2.6.3"
  int64_t memory_bytes = 0;            // of the machine
};

DeviceInfo device_info();

/// Sets the number of threads of all computation that the calling thread starts from now on.
void set_threads(int threads);

/// Threads that the process may use: its processor affinity and, where one is set, its cgroup's quota.
int available_threads();

}  // namespace dl::cpu
