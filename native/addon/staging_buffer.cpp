#include "addon/staging_buffer.h"

#include <cmath>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "addon/error.h"
#include "addon/fields.h"
#include "addon/image_table.h"
#include "checksum/crc32.h"

namespace dl::addon {
namespace {

/// The bytes of a Uint8Array, valid as long as nothing of JavaScript runs.
std::span<const std::byte> uint8_bytes(const Napi::Value& value, const char* argument) {
  if (!value.IsTypedArray() || value.As<Napi::TypedArray>().TypedArrayType() != napi_uint8_array) {
    throw invalid_argument(argument, "is not a Uint8Array");
  }
  const auto bytes = value.As<Napi::Uint8Array>();
  return {reinterpret_cast<const std::byte*>(bytes.Data()), bytes.ByteLength()};
}

}  // namespace

void StagingBuffer::define(Napi::Env env, Napi::Object exports) {
  using Self = Wrapped<StagingBuffer>;
  Self::define(env, exports,
               {Self::getter<&StagingBuffer::byte_length>("byteLength"), Self::method<&StagingBuffer::write>("write"),
                Self::method<&StagingBuffer::write_pieces>("writePieces"), Self::method<&StagingBuffer::read>("read"),
                Self::method<&StagingBuffer::close>("close")});
}

StagingBuffer::StagingBuffer(const Napi::CallbackInfo& info)
    : size_(static_cast<size_t>(to_integer(info[0], "byteLength", 1, kMaxStagingBytes))),
      memory_(std::make_shared<StagingMemory>(size_)) {
  Napi::MemoryManagement::AdjustExternalMemory(info.Env(), static_cast<int64_t>(size_));
}

void StagingBuffer::release(Napi::Env env) {
  if (memory_ == nullptr) return;
  memory_.reset();
  Napi::MemoryManagement::AdjustExternalMemory(env, -static_cast<int64_t>(size_));
}

Napi::Value StagingBuffer::byte_length(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), static_cast<double>(size_));
}

void StagingBuffer::expect_writable() const {
  if (memory_ == nullptr) throw closed("staging buffer");
  if (lock_.use_count() > 1) throw invalid_argument("buffer", "a job that has not ended reads it");
  expect_not_settled("buffer");
}

std::span<std::byte> StagingBuffer::place(const Napi::Value& offset, size_t length) const {
  if (!offset.IsNumber()) throw invalid_argument("offset", "is not a number");
  const double number = offset.As<Napi::Number>().DoubleValue();
  if (!(number >= 0) || std::trunc(number) != number || number + static_cast<double>(length) > static_cast<double>(size_)) {
    throw invalid_argument("offset", std::to_string(length) + " bytes at the offset " + offset.ToString().Utf8Value() +
                                         " reach beyond a buffer of " + std::to_string(size_) + " bytes");
  }
  return memory_->bytes().subspan(static_cast<size_t>(number), length);
}

Napi::Value StagingBuffer::write(const Napi::CallbackInfo& info) {
  expect_writable();
  const std::span<const std::byte> bytes = uint8_bytes(info[1], "bytes");
  const std::span<std::byte> target = place(info[0], bytes.size());
  if (!bytes.empty()) std::memcpy(target.data(), bytes.data(), bytes.size());
  return info.Env().Undefined();
}

Napi::Value StagingBuffer::write_pieces(const Napi::CallbackInfo& info) {
  if (!info[1].IsArray()) throw invalid_argument("pieces", "is not an array");
  const auto array = info[1].As<Napi::Array>();
  std::vector<Napi::Value> values(array.Length());
  // A getter may run; from here on nothing of JavaScript does.
  for (uint32_t i = 0; i < values.size(); ++i) values[i] = array.Get(i);
  expect_writable();
  auto checksum = static_cast<uint32_t>(to_integer(info[2], "checksum", 0, UINT32_MAX));
  size_t length = 0;
  for (const Napi::Value& value : values) length += uint8_bytes(value, "pieces").size();
  std::byte* target = place(info[0], length).data();
  for (const Napi::Value& value : values) {
    const std::span<const std::byte> piece = uint8_bytes(value, "pieces");
    checksum = checksum::copy_crc32(target, piece, checksum);
    target += piece.size();
  }
  return Napi::Number::New(info.Env(), checksum);
}

Napi::Value StagingBuffer::read(const Napi::CallbackInfo& info) {
  if (memory_ == nullptr) throw closed("staging buffer");
  const auto offset = static_cast<size_t>(to_integer(info[0], "offset", 0, static_cast<int64_t>(size_)));
  const auto length = static_cast<size_t>(to_integer(info[1], "length", 0, static_cast<int64_t>(size_)));
  if (offset + length > size_) {
    throw invalid_argument("length", std::to_string(length) + " bytes at the offset " + std::to_string(offset) +
                                         " reach beyond a buffer of " + std::to_string(size_) + " bytes");
  }
  Napi::Uint8Array bytes = Napi::Uint8Array::New(info.Env(), length);
  if (length > 0) std::memcpy(bytes.Data(), memory_->bytes().data() + offset, length);
  return bytes;
}

Napi::Value StagingBuffer::close(const Napi::CallbackInfo& info) {
  release(info.Env());
  return info.Env().Undefined();
}

void StagingBuffer::expect_not_settled(const std::string& argument) const {
  if (settled_) throw invalid_argument(argument, "its pixels were announced, or are in a table, and stay as they are");
}

const std::shared_ptr<StagingMemory>& StagingBuffer::memory() const {
  if (memory_ == nullptr) throw closed("staging buffer");
  return memory_;
}

void StagingBuffer::settle() {
  memory();
  settled_ = true;
}

StagedBytes StagingBuffer::to_bytes(Napi::Env env, const Napi::Value& value, const std::string& argument, int64_t offset,
                                    int64_t count, Use use) {
  if (const ImageTable* table = Wrapped<ImageTable>::unwrap(env, value)) {
    if (use == Use::kWritten) throw invalid_argument(argument, "is a table, whose images stay as they are");
    return table->bytes(argument, offset, count);
  }
  const StagingBuffer* buffer = Wrapped<StagingBuffer>::unwrap(env, value);
  if (buffer == nullptr) throw invalid_argument(argument, "is no StagingBuffer");
  buffer->memory();
  if (use == Use::kWritten) buffer->expect_not_settled(argument);
  if (offset + count > static_cast<int64_t>(buffer->size_)) {
    throw invalid_argument(argument, std::to_string(count) + " bytes at the offset " + std::to_string(offset) +
                                         " reach beyond a buffer of " + std::to_string(buffer->size_) + " bytes");
  }
  return {buffer->memory_, buffer->lock_,
          buffer->memory_->bytes().subspan(static_cast<size_t>(offset), static_cast<size_t>(count))};
}

}  // namespace dl::addon
