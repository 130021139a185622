#include "test/failing_gpus/fault.h"

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>

#include "test/failing_gpus/computing_device.h"

namespace dl::test {

namespace {

namespace fs = std::filesystem;

/// Empty where the test wants no faults.
fs::path fault_file(const std::string& fault, int index) {
  const char* folder = std::getenv("DL_GPU_FAULTS");
  return folder == nullptr ? fs::path() : fs::path(folder) / (fault + "-" + std::to_string(index));
}

}  // namespace

bool has_fault(const std::string& fault, int index) {
  const fs::path file = fault_file(fault, index);
  return !file.empty() && fs::exists(file);
}

namespace {

/// As long as the test wants it; a file `hangs-<index>` tells that it has begun.
void hang(int index) {
  std::ofstream(fault_file("hangs", index));
  while (has_fault("hang", index)) std::this_thread::sleep_for(std::chrono::milliseconds(20));
}

/// What the file of the fault `out_of_memory` says.
int64_t bytes_to_leave(int index) {
  int64_t bytes = 0;
  std::ifstream(fault_file("out_of_memory", index)) >> bytes;
  return bytes;
}

}  // namespace

void meet_faults(int index) {
  if (has_fault("hang", index)) hang(index);
  if (has_fault("lost", index)) lose_device();
  if (has_fault("out_of_memory", index)) {
    take_memory(index, bytes_to_leave(index));
  } else {
    release_memory(index);
  }
}

long long environment_number(const char* name, long long otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::atoll(text);
}

}  // namespace dl::test
