#include "addon/network_graph.h"

#include <map>
#include <string>

#include "addon/error.h"
#include "addon/fields.h"
#include "addon/tensor.h"

namespace dl::addon {
namespace {

Input to_input(const Fields& f) { return {f.floats("scale"), f.floats("shift")}; }

Convolution to_convolution(const Fields& f) {
  return {f.integer("outChannels", 1, kMaxExtent), f.extent("kernel", 1), f.extent("stride", 1), f.extent("padding", 0),
          f.integer("groups", 1, kMaxExtent),      f.boolean("bias")};
}

BatchNorm to_batch_norm(const Fields& f) { return {f.number("epsilon"), f.number("momentum")}; }

Relu to_relu(const Fields& f) { return {f.number_or_null("max")}; }

Pool to_pool(const Fields& f, Pool::Kind kind) {
  return {kind,
          f.extent("kernel", 1),
          f.extent("stride", 1),
          f.extent("padding", 0),
          f.boolean("ceilMode"),
          kind == Pool::Kind::kAverage && f.boolean("countIncludePad")};
}

Dropout to_dropout(const Fields& f) { return {f.number("probability")}; }

FullyConnected to_fully_connected(const Fields& f) { return {f.integer("outFeatures", 1, kMaxExtent), f.boolean("bias")}; }

/// How a kind of layer reads what it computes and where it names its inputs.
struct Reader {
  enum class Inputs { kNone, kOne, kSeveral } inputs;
  LayerKind (*kind)(const Fields&);
};

const std::map<std::string, Reader>& readers() {
  using Inputs = Reader::Inputs;
  static const std::map<std::string, Reader> table{
      {"input", {Inputs::kNone, [](const Fields& f) -> LayerKind { return to_input(f); }}},
      {"convolution", {Inputs::kOne, [](const Fields& f) -> LayerKind { return to_convolution(f); }}},
      {"batch_norm", {Inputs::kOne, [](const Fields& f) -> LayerKind { return to_batch_norm(f); }}},
      {"relu", {Inputs::kOne, [](const Fields& f) -> LayerKind { return to_relu(f); }}},
      {"add", {Inputs::kSeveral, [](const Fields&) -> LayerKind { return Add{}; }}},
      {"concat", {Inputs::kSeveral, [](const Fields&) -> LayerKind { return Concat{}; }}},
      {"max_pool", {Inputs::kOne, [](const Fields& f) -> LayerKind { return to_pool(f, Pool::Kind::kMax); }}},
      {"average_pool", {Inputs::kOne, [](const Fields& f) -> LayerKind { return to_pool(f, Pool::Kind::kAverage); }}},
      {"global_average_pool", {Inputs::kOne, [](const Fields&) -> LayerKind { return GlobalAveragePool{}; }}},
      {"dropout", {Inputs::kOne, [](const Fields& f) -> LayerKind { return to_dropout(f); }}},
      {"fully_connected", {Inputs::kOne, [](const Fields& f) -> LayerKind { return to_fully_connected(f); }}},
      {"softmax", {Inputs::kOne, [](const Fields&) -> LayerKind { return Softmax{}; }}},
  };
  return table;
}

Error invalid_layer(const std::string& layer, const std::string& field, const std::string& problem) {
  return Error(Reason::kInvalidGraph, "layer '" + layer + "': " + field + " " + problem, {{"layer", layer}});
}

/// The layer's name, or its place for a layer that has none.
std::string layer_label(const Napi::Value& name, uint32_t index) {
  return name.IsString() ? name.As<Napi::String>().Utf8Value() : "#" + std::to_string(index);
}

Layer to_layer(const Napi::Value& value, uint32_t index) {
  if (!value.IsObject()) throw invalid_layer("#" + std::to_string(index), "", "is not an object");
  const Napi::Object object = value.As<Napi::Object>();
  const std::string label = layer_label(object.Get("name"), index);
  const Fields fields(
      object, [&label](const std::string& field, const std::string& problem) { return invalid_layer(label, field, problem); });

  Layer layer;
  layer.name = fields.string("name");
  const std::string kind = fields.string("kind");
  const auto reader = readers().find(kind);
  if (reader == readers().end()) fields.refuse("kind", "'" + kind + "' is none that the engine knows");
  layer.kind = reader->second.kind(fields);
  if (reader->second.inputs == Reader::Inputs::kOne) layer.inputs = {fields.string("input")};
  if (reader->second.inputs == Reader::Inputs::kSeveral) layer.inputs = fields.strings("inputs");
  return layer;
}

}  // namespace

std::vector<Layer> to_layers(const Napi::Value& graph) {
  if (!graph.IsObject()) throw Error(Reason::kInvalidGraph, "the graph is not an object");
  const Napi::Value layers = graph.As<Napi::Object>().Get("layers");
  if (!layers.IsArray()) throw Error(Reason::kInvalidGraph, "the graph's layers are not an array");
  const Napi::Array array = layers.As<Napi::Array>();
  std::vector<Layer> result;
  for (uint32_t i = 0; i < array.Length(); ++i) result.push_back(to_layer(array.Get(i), i));
  return result;
}

ImageShape to_image_shape(const Napi::Value& input) {
  const Fields fields = option_fields(input, "input");
  return {fields.integer("channels", 1, kMaxExtent), fields.integer("height", 1, kMaxExtent),
          fields.integer("width", 1, kMaxExtent)};
}

Napi::Array layer_infos(Napi::Env env, const Graph& graph) {
  Napi::Array infos = Napi::Array::New(env, graph.nodes().size());
  for (uint32_t i = 0; i < infos.Length(); ++i) {
    const Graph::Node& node = graph.nodes()[i];
    Napi::Array inputs = Napi::Array::New(env, node.inputs.size());
    for (uint32_t k = 0; k < inputs.Length(); ++k) inputs.Set(k, graph.nodes()[static_cast<size_t>(node.inputs[k])].name);
    int64_t parameter_count = 0;
    for (const int t : node.tensors) {
      const TensorInfo& tensor = graph.tensors()[static_cast<size_t>(t)];
      if (tensor.role != TensorRole::kStatistic) parameter_count += tensor.size();
    }
    Napi::Object info = Napi::Object::New(env);
    info.Set("name", node.name);
    info.Set("kind", kind_name(node.kind));
    info.Set("inputs", inputs);
    info.Set("outputShape", to_js_shape(env, {node.shape.channels, node.shape.height, node.shape.width}));
    info.Set("parameterCount", static_cast<double>(parameter_count));
    infos.Set(i, info);
  }
  return infos;
}

Napi::Array tensor_infos(Napi::Env env, const Graph& graph) {
  Napi::Array infos = Napi::Array::New(env, graph.tensors().size());
  for (uint32_t i = 0; i < infos.Length(); ++i) {
    const TensorInfo& tensor = graph.tensors()[i];
    Napi::Object info = Napi::Object::New(env);
    info.Set("name", tensor.name);
    info.Set("layer", tensor.layer);
    info.Set("role", role_name(tensor.role));
    info.Set("shape", to_js_shape(env, tensor.shape));
    infos.Set(i, info);
  }
  return infos;
}

}  // namespace dl::addon
