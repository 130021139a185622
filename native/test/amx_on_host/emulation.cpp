// AMX instruction by instruction, as Intel's Instruction Set Extensions Programming Reference (chapter 3) defines them, so that
// machines without tiles run the same machine code as those that have them.
#include "test/amx_on_host/emulation.h"

#include <cpuid.h>
#include <signal.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include <bit>
#include <cstdint>
#include <cstdlib>
#include <cstring>

namespace dl::test {
namespace {

constexpr int kTiles = 8;
constexpr int kRows = 16;
constexpr int kRowBytes = 64;

/// A thread's tiles.
struct TileState {
  bool configured = false;
  uint8_t rows[kTiles];
  uint16_t row_bytes[kTiles];
  alignas(64) uint8_t data[kTiles][kRows][kRowBytes];
};
thread_local TileState state;

/// What a VEX instruction of three bytes of prefix says.
struct Instruction {
  uint8_t opcode;
  int prefix;  // none, 66, F3, F2
  int reg, rm, mode, vvvv;
  uint64_t base, index;  // values of the registers of an address
  int64_t displacement;
  int length;
};

uint64_t register_value(const mcontext_t& machine, int number) {
  static constexpr int kOrder[16] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
                                     REG_R8,  REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15};
  return static_cast<uint64_t>(machine.gregs[kOrder[number]]);
}

/// False where it is no instruction of map 0F38 with such a prefix.
bool decode(const uint8_t* code, const mcontext_t& machine, Instruction& found) {
  if (code[0] != 0xC4 || (code[1] & 0x1F) != 2) return false;
  const bool r = !(code[1] & 0x80), x = !(code[1] & 0x40), b = !(code[1] & 0x20);
  found.vvvv = ~(code[2] >> 3) & 0xF;
  found.prefix = code[2] & 3;
  found.opcode = code[3];
  const uint8_t modrm = code[4];
  found.mode = modrm >> 6;
  found.reg = (modrm >> 3 & 7) | (r ? 8 : 0);
  found.rm = (modrm & 7) | (b ? 8 : 0);
  found.base = found.index = 0;
  found.displacement = 0;
  int at = 5;
  if (found.mode != 3) {
    bool has_base = true;
    int base = found.rm;
    if ((modrm & 7) == 4) {
      const uint8_t sib = code[at++];
      const int index = (sib >> 3 & 7) | (x ? 8 : 0);
      if (index != 4) found.index = register_value(machine, index) << (sib >> 6);
      base = (sib & 7) | (b ? 8 : 0);
      has_base = (sib & 7) != 5 || found.mode != 0;
    } else if ((modrm & 7) == 5 && found.mode == 0) {
      return false;  // relative to the instruction: the compiler has no reason to
    }
    if (has_base) found.base = register_value(machine, base);
    if (found.mode == 1) {
      found.displacement = static_cast<int8_t>(code[at++]);
    } else if (found.mode == 2 || !has_base) {
      int32_t displacement;
      std::memcpy(&displacement, code + at, sizeof(displacement));
      found.displacement = displacement;
      at += 4;
    }
  }
  found.length = at;
  return true;
}

float from_bfloat16(uint16_t bits) {
  // Values below 2^-126 count as zeros.
  const uint32_t wide = (bits & 0x7F80u) == 0 ? (bits & 0x8000u) << 16 : static_cast<uint32_t>(bits) << 16;
  return std::bit_cast<float>(wide);
}

void configure(const void* from) {
  uint8_t bytes[64];
  std::memcpy(bytes, from, sizeof(bytes));
  state.configured = bytes[0] == 1;
  for (int tile = 0; tile < kTiles; ++tile) {
    std::memcpy(&state.row_bytes[tile], bytes + 16 + 2 * tile, 2);
    state.rows[tile] = bytes[48 + tile];
    if (state.row_bytes[tile] > kRowBytes || state.rows[tile] > kRows) state.configured = false;
  }
  std::memset(state.data, 0, sizeof(state.data));
}

void load(int tile, uint64_t base, uint64_t row) {
  std::memset(state.data[tile], 0, sizeof(state.data[tile]));
  for (int r = 0; r < state.rows[tile]; ++r)
    std::memcpy(state.data[tile][r], reinterpret_cast<const void*>(base + static_cast<uint64_t>(r) * row), state.row_bytes[tile]);
}

void save(int tile, uint64_t base, uint64_t row) {
  for (int r = 0; r < state.rows[tile]; ++r)
    std::memcpy(reinterpret_cast<void*>(base + static_cast<uint64_t>(r) * row), state.data[tile][r], state.row_bytes[tile]);
}

/// c += a * b, pair after pair, each product rounded into the sum.
void multiply(int c, int a, int b) {
  float right[kRows][kRowBytes / 2];
  for (int k = 0; k < kRows; ++k) {
    for (int n = 0; n < kRowBytes / 2; ++n) {
      uint16_t bits;
      std::memcpy(&bits, state.data[b][k] + 2 * n, 2);
      right[k][n] = from_bfloat16(bits);
    }
  }
  for (int m = 0; m < state.rows[c]; ++m) {
    float sums[kRowBytes / 4];
    std::memcpy(sums, state.data[c][m], sizeof(sums));
    for (int k = 0; k < state.row_bytes[a] / 4; ++k) {
      uint16_t bits[2];
      std::memcpy(bits, state.data[a][m] + 4 * k, sizeof(bits));
      const float first = from_bfloat16(bits[0]), second = from_bfloat16(bits[1]);
      for (int n = 0; n < state.row_bytes[c] / 4; ++n) {
        sums[n] += first * right[k][2 * n];
        sums[n] += second * right[k][2 * n + 1];
      }
    }
    std::memcpy(state.data[c][m], sums, state.row_bytes[c]);
  }
}

bool execute(const Instruction& i) {
  constexpr int kNone = 0, kF3 = 2, kF2 = 3;
  const uint64_t address = i.base + static_cast<uint64_t>(i.displacement);
  if (i.opcode == 0x49 && i.prefix == kNone && i.mode != 3)
    return configure(reinterpret_cast<const void*>(address + i.index)), true;
  if (i.opcode == 0x49 && i.prefix == kNone && i.mode == 3) return state.configured = false, true;
  if (!state.configured) return false;
  if (i.opcode == 0x49 && i.prefix == kF2 && i.mode == 3) {
    std::memset(state.data[i.reg], 0, sizeof(state.data[i.reg]));
    return true;
  }
  if (i.opcode == 0x4B && i.prefix == kF2 && i.mode != 3) return load(i.reg, address, i.index), true;
  if (i.opcode == 0x4B && i.prefix == kF3 && i.mode != 3) return save(i.reg, address, i.index), true;
  if (i.opcode == 0x5C && i.prefix == kF3 && i.mode == 3) return multiply(i.reg, i.rm, i.vvvv), true;
  return false;
}

void on_illegal_instruction(int /*signal*/, siginfo_t* /*info*/, void* context) {
  mcontext_t& machine = static_cast<ucontext_t*>(context)->uc_mcontext;
  Instruction instruction;
  if (!decode(reinterpret_cast<const uint8_t*>(machine.gregs[REG_RIP]), machine, instruction) || !execute(instruction)) {
    static constexpr char kMessage[] = "an instruction that neither the processor nor the emulation of AMX knows\n";
    [[maybe_unused]] const ssize_t written = write(STDERR_FILENO, kMessage, sizeof(kMessage) - 1);
    std::abort();
  }
  machine.gregs[REG_RIP] += instruction.length;
}

bool has_tiles() {
  unsigned a, b, c, d;
  constexpr unsigned kBfloat16 = 1u << 22, kTile = 1u << 24;
  if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || (d & (kBfloat16 | kTile)) != (kBfloat16 | kTile)) return false;
  constexpr long kRequestPermission = 0x1023, kTileData = 18;
  return syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
}

}  // namespace

AmxSupport provide_amx() {
  if (!__builtin_cpu_supports("avx512bf16")) return {false, "this processor has no AVX-512 with bfloat16"};
  if (has_tiles()) return {true, "the processor's own tiles"};
  struct sigaction action = {};
  action.sa_sigaction = on_illegal_instruction;
  action.sa_flags = SA_SIGINFO;
  sigaction(SIGILL, &action, nullptr);
  return {true, "emulated tiles"};
}

}  // namespace dl::test
