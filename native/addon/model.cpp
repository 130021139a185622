#include "addon/model.h"

#include <chrono>
#include <string>
#include <variant>
#include <vector>

#include "addon/engine.h"
#include "addon/network_graph.h"
#include "addon/options.h"
#include "addon/staged_images.h"
#include "addon/step_result.h"
#include "addon/tensor.h"
#include "addon/tensor_intake.h"

namespace dl::addon {
namespace {

using Clock = std::chrono::steady_clock;

Napi::Value to_undefined(Napi::Env env, ModelState&, std::monostate&&) { return env.Undefined(); }

/// The new graph and the layers that were initialised anew.
struct Reshaped {
  Graph graph;
  std::vector<std::string> reinitialized;
};

}  // namespace

void ModelObject::define(Napi::Env env, Napi::Object exports) {
  using Self = Wrapped<ModelObject>;
  Self::define(env, exports,
               {Self::getter<&ModelObject::tensors>("tensors"), Self::getter<&ModelObject::layers>("layers"),
                Self::getter<&ModelObject::parameter_count>("parameterCount"),
                Self::getter<&ModelObject::memory_bytes>("memoryBytes"), Self::method<&ModelObject::plan_memory>("planMemory"),
                Self::method<&ModelObject::prepare>("prepare"), Self::method<&ModelObject::set_solver>("setSolver"),
                Self::method<&ModelObject::train>("train"), Self::method<&ModelObject::announce>("announce"),
                Self::method<&ModelObject::profile>("profile"), Self::method<&ModelObject::apply>("apply"),
                Self::method<&ModelObject::snapshot>("snapshot"), Self::method<&ModelObject::restore>("restore"),
                Self::method<&ModelObject::reshape>("reshape"), Self::method<&ModelObject::close>("close")});
}

ModelObject::ModelObject(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const Engine* engine = Wrapped<Engine>::unwrap(env, info[0]);
  if (engine == nullptr) throw invalid_argument("engine", "is no Engine");
  const std::shared_ptr<EngineThread> thread = engine->thread();
  std::vector<Layer> layers = to_layers(info[1]);
  const ImageShape input = to_image_shape(info[2]);
  const uint64_t seed = to_seed(info[3]);
  state_ = std::make_shared<ModelState>(thread, Graph(layers, input));
  thread->submit(env, std::make_unique<AllocateJob>(state_, std::move(layers), input, seed));
}

void ModelObject::finalize(Napi::Env env) {
  if (state_->closed || state_->thread->closed()) return;
  state_->thread->submit(env, std::make_unique<ReleaseJob>(state_, std::nullopt));
}

template <typename Result, typename Prepare>
Napi::Value ModelObject::submit(Napi::Env env, Prepare prepare, typename CallJob<Result>::Convert convert) {
  const auto deferred = Napi::Promise::Deferred::New(env);
  reject_on_error(env, deferred, [&] {
    if (state_->closed) throw closed("model");
    state_->thread->submit(env, std::make_unique<CallJob<Result>>(state_, deferred, prepare(), std::move(convert)));
  });
  return deferred.Promise();
}

Napi::Value ModelObject::tensors(const Napi::CallbackInfo& info) { return tensor_infos(info.Env(), state_->graph); }

Napi::Value ModelObject::layers(const Napi::CallbackInfo& info) { return layer_infos(info.Env(), state_->graph); }

Napi::Value ModelObject::parameter_count(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), static_cast<double>(state_->graph.parameter_count()));
}

Napi::Value ModelObject::memory_bytes(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), static_cast<double>(state_->memory_bytes));
}

Napi::Value ModelObject::plan_memory(const Napi::CallbackInfo& info) {
  return submit<MemoryPlan>(
      info.Env(), [&] { return [options = to_plan_options(info[0])](Model& model) { return model.plan_memory(options); }; },
      [](Napi::Env env, ModelState&, MemoryPlan&& plan) { return to_js_memory_plan(env, plan); });
}

Napi::Value ModelObject::prepare(const Napi::CallbackInfo& info) {
  return submit<std::monostate>(
      info.Env(),
      [&] {
        return [options = to_plan_options(info[0])](Model& model) {
          model.prepare(options);
          return std::monostate{};
        };
      },
      to_undefined);
}

Napi::Value ModelObject::set_solver(const Napi::CallbackInfo& info) {
  return submit<std::monostate>(
      info.Env(),
      [&] {
        return [solver = to_solver(info[0])](Model& model) {
          model.set_solver(solver);
          return std::monostate{};
        };
      },
      to_undefined);
}

Napi::Value ModelObject::train(const Napi::CallbackInfo& info) {
  return submit<TimedStep>(
      info.Env(),
      [&] {
        StagedImages images = to_images(info.Env(), info[0]);
        std::vector<int32_t> labels = to_labels(info[1], images.count);
        TrainOptions options = to_train_options(info[2]);
        options.upcoming = state_->upcoming.get();  // the job keeps the state
        return [images = std::move(images), labels = std::move(labels), options, called = Clock::now()](Model& model) {
          const std::chrono::duration<double> queued = Clock::now() - called;
          options.upcoming->begin(images.id);
          return TimedStep{queued.count(), model.train(images.view(model.graph().input()), labels, options)};
        };
      },
      [](Napi::Env env, ModelState&, TimedStep&& step) { return to_js_step_result(env, step); });
}

Napi::Value ModelObject::announce(const Napi::CallbackInfo& info) {
  const StagedImages images = to_announced(info.Env(), info[0]);
  state_->upcoming->announce(images.whole(), images.memory());
  return info.Env().Undefined();
}

Napi::Value ModelObject::profile(const Napi::CallbackInfo& info) {
  return submit<StepProfile>(
      info.Env(),
      [&] {
        StagedImages images = to_images(info.Env(), info[0]);
        std::vector<int32_t> labels = to_labels(info[1], images.count);
        TrainOptions options = to_train_options(info[2]);
        return [images = std::move(images), labels = std::move(labels), options = std::move(options)](Model& model) {
          StepProfile profile;
          TrainOptions profiled = options;
          profiled.profile = &profile;
          model.train(images.view(model.graph().input()), labels, profiled);
          return profile;
        };
      },
      [](Napi::Env env, ModelState&, StepProfile&& profile) { return to_js_profile(env, profile); });
}

Napi::Value ModelObject::apply(const Napi::CallbackInfo& info) {
  return submit<std::vector<float>>(
      info.Env(),
      [&] {
        StagedImages images = to_images(info.Env(), info[0]);
        return [images = std::move(images), options = to_plan_options(info[1])](Model& model) {
          return model.apply(images.view(model.graph().input()), options);
        };
      },
      [](Napi::Env env, ModelState&, std::vector<float>&& confidences) { return to_float32_array(env, std::move(confidences)); });
}

Napi::Value ModelObject::snapshot(const Napi::CallbackInfo& info) {
  return submit<std::vector<NamedTensor>>(
      info.Env(), [] { return [](Model& model) { return model.snapshot(); }; },
      [](Napi::Env env, ModelState&, std::vector<NamedTensor>&& tensors) { return to_js_tensors(env, std::move(tensors)); });
}

Napi::Value ModelObject::restore(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const auto deferred = Napi::Promise::Deferred::New(env);
  reject_on_error(env, deferred, [&] {
    if (state_->closed) throw closed("model");
    const auto intake = TensorIntake::start(env, info[0], [thread = state_->thread] { thread->wake(); });
    const auto work = [intake](Model& model) {
      model.restore(intake->tensors());
      return std::monostate{};
    };
    const std::shared_ptr<const std::atomic<bool>> ready(intake, &intake->ready());
    state_->thread->submit(env, std::make_unique<CallJob<std::monostate>>(state_, deferred, work, to_undefined, ready));
  });
  return deferred.Promise();
}

Napi::Value ModelObject::reshape(const Napi::CallbackInfo& info) {
  return submit<Reshaped>(
      info.Env(),
      [&] {
        return
            [layers = to_layers(info[0]), input = to_image_shape(info[1]), options = to_reshape_options(info[2])](Model& model) {
              std::vector<std::string> reinitialized = model.reshape(layers, input, options);
              return Reshaped{model.graph(), std::move(reinitialized)};
            };
      },
      [](Napi::Env env, ModelState& state, Reshaped&& reshaped) {
        state.graph = std::move(reshaped.graph);
        return to_js_strings(env, reshaped.reinitialized);
      });
}

Napi::Value ModelObject::close(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  state_->closed = true;
  // An engine that ends destroys its models itself: then the model is closed when the engine is.
  if (state_->thread->closed()) return state_->thread->close(env);
  const auto deferred = Napi::Promise::Deferred::New(env);
  state_->thread->release_first(env, std::make_unique<ReleaseJob>(state_, deferred));
  return deferred.Promise();
}

}  // namespace dl::addon
