// The engine's tests in bfloat16 with the kernels for processors with AMX, on processors with and without it.
#define DOCTEST_CONFIG_IMPLEMENT
#define DOCTEST_CONFIG_NO_POSIX_SIGNALS
#include <doctest/doctest.h>

#include <iostream>

#include "cpu/device.h"
#include "cpu/kernels/kernels.h"
#include "test/amx_on_host/emulation.h"
#include "test/device.h"

namespace dl::cpu {

namespace amx {
extern const KernelTable kTable;
}

/// Instead of kernels/dispatch.cpp's choice.
const KernelTable& kernels() { return amx::kTable; }

}  // namespace dl::cpu

namespace dl::test {

Device& device() { return cpu::device(); }

}  // namespace dl::test

int main(int argc, char** argv) {
  const dl::test::AmxSupport amx = dl::test::provide_amx();
  std::cout << "== AMX: " << amx.how << '\n';
  doctest::Context context(argc, argv);
  if (!amx.usable) context.addFilter("test-case-exclude", "*");
  return context.run();
}
