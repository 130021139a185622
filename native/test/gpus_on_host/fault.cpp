#include "test/gpus_on_host/fault.h"

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>

#include "engine/error.h"

namespace dl::test {

bool has_fault(const std::string& fault, int index) {
  const char* folder = std::getenv("DL_GPU_FAULTS");
  return folder != nullptr && std::filesystem::exists(std::filesystem::path(folder) / (fault + "-" + std::to_string(index)));
}

namespace {

/// As long as the test wants it; a file `hangs-<index>` tells that it has begun.
void hang(int index) {
  const std::filesystem::path folder = std::getenv("DL_GPU_FAULTS");
  std::ofstream(folder / ("hangs-" + std::to_string(index)));
  while (has_fault("hang", index)) std::this_thread::sleep_for(std::chrono::milliseconds(20));
}

}  // namespace

void throw_faults(int index) {
  if (has_fault("hang", index)) hang(index);
  if (has_fault("lost", index)) throw Error(Reason::kDeviceLost, "the device is lost to this process: a test wants it");
  if (has_fault("out_of_memory", index))
    throw Error(Reason::kOutOfMemory, "a test wants the memory to be full", {{"bytes", "1000000000"}});
}

long long environment_number(const char* name, long long otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::atoll(text);
}

}  // namespace dl::test
