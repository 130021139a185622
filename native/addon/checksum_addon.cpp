#include <napi.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "checksum/crc32.h"

namespace {

/// `crc32(bytes: Uint8Array, checksum: number): number`.
Napi::Value crc32(const Napi::CallbackInfo& info) {
  if (!info[0].IsTypedArray() || info[0].As<Napi::TypedArray>().TypedArrayType() != napi_uint8_array) {
    throw Napi::TypeError::New(info.Env(), "bytes is not a Uint8Array");
  }
  if (!info[1].IsNumber()) throw Napi::TypeError::New(info.Env(), "checksum is not a number");
  const auto bytes = info[0].As<Napi::Uint8Array>();
  const std::span<const std::byte> span{reinterpret_cast<const std::byte*>(bytes.Data()), bytes.ByteLength()};
  return Napi::Number::New(info.Env(), dl::checksum::crc32(span, info[1].As<Napi::Number>().Uint32Value()));
}

}  // namespace

/// What the addon exports: `crc32`, and `instructions`, the name of those that it is computed with, `tables` where the processor
/// has none.
static Napi::Object init(Napi::Env env, Napi::Object exports) {
  exports.Set("crc32", Napi::Function::New<crc32>(env, "crc32"));
  exports.Set("instructions", dl::checksum::kernels().front().name);
  return exports;
}

NODE_API_MODULE(dl_checksum_addon, init)
