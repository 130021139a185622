#pragma once

namespace dl::test {

/// Whether a process can run the AMX instructions that the engine uses, and by what means or why not.
struct AmxSupport {
  bool usable;
  const char* how;
};

/// Asks the operating system for the tiles where the processor has them; where it has not, their instructions are computed in
/// their place from here on (a handler of SIGILL). The processor needs AVX-512 with bfloat16 in any case.
AmxSupport provide_amx();

}  // namespace dl::test
