#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include <doctest/doctest.h>

#include "cpu/device.h"
#include "test/device.h"

namespace dl::test {

Device& device() { return cpu::device(); }

}  // namespace dl::test
