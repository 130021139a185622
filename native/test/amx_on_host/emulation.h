#pragma once

namespace dl::test {

/// Makes this process able to run the AMX instructions that the engine uses: asks the operating system for the tiles where the
/// processor has them, and computes each instruction in its place (the handler of SIGILL) where it does not. Returns what was
/// done. The processor needs AVX-512 with bfloat16; false says that it has not.
struct AmxSupport {
  bool usable;
  const char* how;
};
AmxSupport provide_amx();

}  // namespace dl::test
