#include "addon/tensor_intake.h"

#include <algorithm>
#include <utility>

#include "addon/error.h"
#include "addon/tensor.h"

namespace dl::addon {
namespace {

/// Values a turn, 1 MiB. Each page is touched for the first time: four times as much held up the event loop of a busy machine for
/// 30 to 50 milliseconds.
constexpr size_t kSliceValues = size_t{1} << 18;

}  // namespace

/// What the JavaScript thread needs for the copy; it is dropped there, with the last turn or with the environment.
struct TensorIntake::Copy {
  std::shared_ptr<TensorIntake> intake;
  std::vector<Napi::Reference<Napi::Float32Array>> sources;
  std::function<void()> on_ready;
  size_t tensor = 0;  // the one under way

  /// Copies at most a slice; true when all is copied.
  bool slice() {
    for (size_t budget = kSliceValues; budget > 0 && tensor < sources.size();) {
      const Napi::Float32Array source = sources[tensor].Value();
      NamedTensor& target = intake->tensors_[tensor];
      const auto size = static_cast<size_t>(value_count(target.shape));
      if (source.ElementLength() != size) throw invalid_argument("tensors", "data of '" + target.name + "' was detached");
      const size_t done = target.values.size();
      const size_t count = std::min(budget, size - done);
      if (done == 0) target.values.reserve(size);
      if (count > 0) target.values.insert(target.values.end(), source.Data() + done, source.Data() + done + count);
      budget -= count;
      if (target.values.size() == size) ++tensor;
    }
    return tensor == sources.size();
  }
};

std::shared_ptr<TensorIntake> TensorIntake::start(Napi::Env env, const Napi::Value& tensors, std::function<void()> on_ready) {
  if (!tensors.IsArray()) throw invalid_argument("tensors", "is not an array");
  const Napi::Array array = tensors.As<Napi::Array>();
  const auto copy = std::make_shared<Copy>();
  copy->intake = std::make_shared<TensorIntake>();
  copy->on_ready = std::move(on_ready);
  for (uint32_t i = 0; i < array.Length(); ++i) {
    auto [tensor, data] = to_tensor(array.Get(i));
    copy->intake->tensors_.push_back(std::move(tensor));
    copy->sources.push_back(Napi::Reference<Napi::Float32Array>::New(data, 1));
  }
  const std::shared_ptr<TensorIntake> intake = copy->intake;
  proceed(env, copy);
  return intake;
}

void TensorIntake::proceed(Napi::Env env, const std::shared_ptr<Copy>& copy) {
  try {
    if (!copy->slice()) {
      const auto next = Napi::Function::New(env, [copy](const Napi::CallbackInfo& info) {
        // Where the job was refused meanwhile, the copy alone still holds the tensors.
        if (copy->intake.use_count() > 1) {
          proceed(info.Env(), copy);
        } else {
          *copy = {};
        }
      });
      env.Global().Get("setImmediate").As<Napi::Function>().Call({next});
      return;
    }
  } catch (...) {
    copy->intake->error_ = current_error();
  }
  copy->intake->ready_ = true;
  copy->on_ready();
  *copy = {};  // the function of the last turn keeps it until it is collected
}

const std::vector<NamedTensor>& TensorIntake::tensors() const {
  if (error_) throw *error_;
  return tensors_;
}

}  // namespace dl::addon
