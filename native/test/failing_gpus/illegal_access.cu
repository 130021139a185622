#include "test/failing_gpus/illegal_access.h"

namespace dl::test {
namespace {

__global__ void write_to(int* nowhere) { *nowhere = 1; }

}  // namespace

void access_illegally() { write_to<<<1, 1>>>(reinterpret_cast<int*>(16)); }

}  // namespace dl::test
