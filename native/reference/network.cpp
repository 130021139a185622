#include "reference/network.h"

#include <algorithm>
#include <stdexcept>
#include <variant>

#include "reference/layers.h"

namespace dl::reference {
namespace {

const Values kNone;

/// Tensor `position` of a node: weight, bias, running_mean, running_var in this order; empty where the layer has fewer.
const Values& tensor(const Graph::Node& node, const Parameters& parameters, size_t position) {
  return position < node.tensors.size() ? parameters.at(node.tensors[position]) : kNone;
}

std::vector<const Tensor*> inputs_of(const Graph::Node& node, const std::vector<Tensor>& outputs) {
  std::vector<const Tensor*> inputs;
  for (const int input : node.inputs) inputs.push_back(&outputs.at(input));
  return inputs;
}

/// The parameters as the layers read them: weights in the storage's format.
Parameters stored(const Graph& graph, Parameters parameters, Storage storage) {
  for (size_t t = 0; t < parameters.size(); ++t)
    if (graph.tensors()[t].role == TensorRole::kWeight) round_values(parameters[t], storage);
  return parameters;
}

/// Logits and confidences are never rounded.
bool rounds_output(const Graph& graph, size_t node) {
  return node + 1 < graph.nodes().size() && static_cast<int>(node) != graph.nodes().back().inputs.at(0);
}

Storage rounding_before_bias(const Graph& graph, size_t node, Storage storage) {
  return storage == Storage::kBfloat16BiasApart && rounds_output(graph, node) ? storage : Storage::kFloat64;
}

void accumulate(const Values& addend, Values& sum) {
  for (size_t i = 0; i < sum.size(); ++i) sum[i] += addend.at(i);
}

/// The layers that compute the same in training and in applying.
struct CommonForward {
  const Graph::Node& node;
  const Parameters& parameters;
  const std::vector<const Tensor*>& x;
  Storage before_bias;  // what is rounded before a bias is added

  Tensor operator()(const Convolution& layer) const {
    return biased(layer, [&](const Values& bias, const Convolution& l) {
      return convolution_forward(*x[0], tensor(node, parameters, 0), bias, l);
    });
  }
  Tensor operator()(const Relu& layer) const { return relu_forward(*x[0], layer); }
  Tensor operator()(const Add&) const { return add_forward(*x[0], *x[1]); }
  Tensor operator()(const Concat&) const { return concat_forward(x); }
  Tensor operator()(const Pool& layer) const {
    return layer.kind == Pool::Kind::kMax ? max_pool_forward(*x[0], layer) : average_pool_forward(*x[0], layer);
  }
  Tensor operator()(const GlobalAveragePool&) const { return global_average_pool_forward(*x[0]); }
  Tensor operator()(const FullyConnected& layer) const {
    return biased(layer, [&](const Values& bias, const FullyConnected& l) {
      return fully_connected_forward(*x[0], tensor(node, parameters, 0), bias, l);
    });
  }
  Tensor operator()(const Softmax&) const { return softmax_forward(*x[0]); }
  Tensor operator()(const auto&) const { throw std::logic_error("a layer that each mode computes in its own way"); }

  template <class L, class Compute>
  Tensor biased(L layer, const Compute& compute) const {
    const Values& bias = tensor(node, parameters, 1);
    if (before_bias == Storage::kFloat64 || !layer.bias) return compute(bias, layer);
    layer.bias = false;
    Tensor y = compute(kNone, layer);
    round_values(y.values, before_bias);
    for (int64_t n = 0; n < y.n; ++n)
      for (int64_t k = 0; k < y.c; ++k)
        for (int64_t h = 0; h < y.h; ++h)
          for (int64_t w = 0; w < y.w; ++w) y.at(n, k, h, w) += bias.at(k);
    return y;
  }
};

/// Gives the gradients of a node's inputs and adds those of its tensors to `gradients`.
struct Backward {
  const Graph::Node& node;
  const Parameters& parameters;
  const std::vector<const Tensor*>& x;
  const Tensor& dy;
  const Tensor& mask;
  bool frozen;
  Parameters& gradients;

  std::vector<Tensor> operator()(const Input&) const { return {}; }
  std::vector<Tensor> operator()(const Convolution& layer) const {
    return weighted(convolution_backward(*x[0], tensor(node, parameters, 0), dy, layer));
  }
  std::vector<Tensor> operator()(const BatchNorm& layer) const {
    if (frozen) {
      const BatchStatistics stored{tensor(node, parameters, 2), tensor(node, parameters, 3)};
      return {batch_norm_backward_fixed(stored, tensor(node, parameters, 0), dy, layer)};
    }
    return weighted(batch_norm_backward(*x[0], tensor(node, parameters, 0), dy, layer));
  }
  std::vector<Tensor> operator()(const Relu& layer) const { return {relu_backward(*x[0], dy, layer)}; }
  std::vector<Tensor> operator()(const Add&) const { return {dy, dy}; }
  std::vector<Tensor> operator()(const Concat&) const { return concat_backward(x, dy); }
  std::vector<Tensor> operator()(const Pool& layer) const {
    return {layer.kind == Pool::Kind::kMax ? max_pool_backward(*x[0], dy, layer) : average_pool_backward(*x[0], dy, layer)};
  }
  std::vector<Tensor> operator()(const GlobalAveragePool&) const { return {global_average_pool_backward(*x[0], dy)}; }
  std::vector<Tensor> operator()(const Dropout&) const { return {dropout_apply(dy, mask)}; }
  std::vector<Tensor> operator()(const FullyConnected& layer) const {
    return weighted(fully_connected_backward(*x[0], tensor(node, parameters, 0), dy, layer));
  }
  // dy of the softmax layer is set to dL_mn/dlogits by backward() below.
  std::vector<Tensor> operator()(const Softmax&) const { return {dy}; }

  std::vector<Tensor> weighted(const auto& layer_gradients) const {
    if (frozen) return {layer_gradients.input};
    accumulate(layer_gradients.weight, gradients.at(node.tensors.at(0)));
    if (!layer_gradients.bias.empty()) accumulate(layer_gradients.bias, gradients.at(node.tensors.at(1)));
    return {layer_gradients.input};
  }
};

}  // namespace

Parameters zeros(const Graph& graph) {
  Parameters parameters;
  for (const TensorInfo& info : graph.tensors()) parameters.emplace_back(info.size(), 0.0);
  return parameters;
}

Pass forward(const Graph& graph, Parameters& parameters, const Tensor& images, const SubBatch& sub_batch, Storage storage) {
  const std::vector<Graph::Node>& nodes = graph.nodes();
  const Parameters read = stored(graph, parameters, storage);
  Pass pass{std::vector<Tensor>(nodes.size()), std::vector<Tensor>(nodes.size()), std::vector<bool>(nodes.size())};
  for (size_t i = 0; i < nodes.size(); ++i) {
    const Graph::Node& node = nodes[i];
    const std::vector<std::string>& frozen = sub_batch.frozen_layers;
    pass.frozen[i] = std::find(frozen.begin(), frozen.end(), node.name) != frozen.end();
    const std::vector<const Tensor*> x = inputs_of(node, pass.outputs);
    if (const auto* input = std::get_if<Input>(&node.kind)) {
      pass.outputs[i] = input_forward(images, *input);
    } else if (const auto* norm = std::get_if<BatchNorm>(&node.kind)) {
      const BatchStatistics batch =
          pass.frozen[i] ? BatchStatistics{tensor(node, read, 2), tensor(node, read, 3)} : batch_statistics(*x[0]);
      pass.outputs[i] = batch_norm_forward(*x[0], batch, tensor(node, read, 0), tensor(node, read, 1), *norm);
      if (!pass.frozen[i]) {
        move_running_statistics(batch, x[0]->n * x[0]->h * x[0]->w, *norm, parameters.at(node.tensors.at(2)),
                                parameters.at(node.tensors.at(3)));
      }
    } else if (const auto* dropout = std::get_if<Dropout>(&node.kind)) {
      const DropoutKey key{sub_batch.seed, static_cast<uint32_t>(i), sub_batch.step, sub_batch.first_image};
      pass.masks[i] = dropout_mask(*x[0], *dropout, key);
      pass.outputs[i] = dropout_apply(*x[0], pass.masks[i]);
    } else {
      pass.outputs[i] = std::visit(CommonForward{node, read, x, rounding_before_bias(graph, i, storage)}, node.kind);
    }
    if (rounds_output(graph, i)) round_values(pass.outputs[i].values, storage);
  }
  return pass;
}

const Tensor& logits(const Graph& graph, const Pass& pass) { return pass.outputs.at(graph.nodes().back().inputs.at(0)); }

void backward(const Graph& graph, const Parameters& parameters, const Pass& pass, std::span<const int32_t> labels,
              int64_t total_images, Parameters& gradients, Storage storage, std::span<const double> class_weights) {
  const std::vector<Graph::Node>& nodes = graph.nodes();
  const Parameters read = stored(graph, parameters, storage);
  std::vector<Tensor> output_gradients;
  for (const Tensor& output : pass.outputs) output_gradients.push_back(output.zeros());
  output_gradients.back() = softmax_backward(logits(graph, pass), labels, total_images, class_weights);
  for (size_t i = nodes.size(); i-- > 0;) {
    const std::vector<const Tensor*> x = inputs_of(nodes[i], pass.outputs);
    round_values(output_gradients[i].values, storage);
    const Backward step{nodes[i], read, x, output_gradients[i], pass.masks[i], pass.frozen[i], gradients};
    const std::vector<Tensor> input_gradients = std::visit(step, nodes[i].kind);
    for (size_t j = 0; j < input_gradients.size(); ++j)
      accumulate(input_gradients[j].values, output_gradients.at(nodes[i].inputs[j]).values);
  }
}

Tensor apply(const Graph& graph, const Parameters& parameters, const Tensor& images, Storage storage) {
  const Parameters read = stored(graph, parameters, storage);
  std::vector<Tensor> outputs;
  for (const Graph::Node& node : graph.nodes()) {
    const std::vector<const Tensor*> x = inputs_of(node, outputs);
    if (const auto* input = std::get_if<Input>(&node.kind)) {
      outputs.push_back(input_forward(images, *input));
    } else if (const auto* norm = std::get_if<BatchNorm>(&node.kind)) {
      const BatchStatistics running{tensor(node, read, 2), tensor(node, read, 3)};
      outputs.push_back(batch_norm_forward(*x[0], running, tensor(node, read, 0), tensor(node, read, 1), *norm));
    } else if (std::holds_alternative<Dropout>(node.kind)) {
      outputs.push_back(*x[0]);
    } else {
      outputs.push_back(
          std::visit(CommonForward{node, read, x, rounding_before_bias(graph, outputs.size(), storage)}, node.kind));
    }
    if (rounds_output(graph, outputs.size() - 1)) round_values(outputs.back().values, storage);
  }
  return outputs.back();
}

}  // namespace dl::reference
