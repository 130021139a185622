#pragma once

#include <dnnl.hpp>
#include <optional>
#include <unordered_map>

#include "cpu/kernels/output_stage.h"
#include "cpu/layout.h"
#include "engine/arena.h"
#include "engine/graph.h"

/// The seam to oneDNN: what differs between its 2.x and 3.x interfaces stays in onednn.cpp.
namespace dl::cpu {

enum class DataType { kFloat32, kBfloat16 };

int64_t bytes_of(DataType type);

const dnnl::engine& onednn_engine();

dnnl::memory::desc activation_descriptor(const Layout& layout, DataType type);
/// Weights in the order that torchvision has them: (out, in, kernel height, kernel width), with groups (groups, out / groups, in
/// / groups, ...), of a fully connected layer (out, in).
dnnl::memory::desc plain_weights_descriptor(const dnnl::memory::dims& dims, DataType type = DataType::kFloat32);
/// Weights in an order that the primitive chooses.
dnnl::memory::desc any_weights_descriptor(const dnnl::memory::dims& dims, DataType type);

/// A convolution or, with an empty `stride`, a fully connected layer.
struct LinearShape {
  Layout in;
  Layout out;
  dnnl::memory::dims weights;  // 4 values, with groups 5; of a fully connected layer 2
  dnnl::memory::dims stride;
  dnnl::memory::dims padding;
  bool bias;
  bool adds;              // to what the output holds
  Activation activation;  // behind it
  DataType in_type;
  DataType out_type;       // of the output
  DataType gradient_type;  // of the output's gradient

  bool is_convolution() const { return !stride.empty(); }
};

/// The flattened input of a fully connected layer, or its gradient.
dnnl::memory::desc flat_descriptor(const LinearShape& shape, DataType type);
/// The output or its gradient.
dnnl::memory::desc output_descriptor(const LinearShape& shape, DataType type);
dnnl::memory::desc bias_descriptor(const LinearShape& shape);

/// A primitive that was chosen but not compiled yet, with the layouts that it wants.
/// Fully connected layers read and write weights in torchvision's order.
struct PrimitiveChoice {
  dnnl::primitive_desc_base descriptor;
  dnnl::memory::desc weights;  // or their gradient
  dnnl::memory::desc source;   // or its gradient
};

PrimitiveChoice forward_choice(const LinearShape& shape, bool training);
PrimitiveChoice backward_data_choice(const LinearShape& shape);
PrimitiveChoice backward_weights_choice(const LinearShape& shape);
/// Of a fully connected layer: dW += dy^T * x, a product of matrices (out, images) * (images, in) in place.
dnnl::primitive_desc_base added_weights_choice(const LinearShape& shape);
/// dy^T of a fully connected layer, as dy lies in memory.
dnnl::memory::desc transposed_output_descriptor(const LinearShape& shape);

/// Copies between layouts and types; with `accumulate` it adds to the target.
dnnl::primitive_desc_base reorder_choice(const dnnl::memory::desc& from, const dnnl::memory::desc& to, bool accumulate);

/// A primitive with its arguments. Chosen at planning, compiled and bound to memory when the plan is allocated.
class BoundPrimitive {
 public:
  BoundPrimitive() = default;
  /// Takes scratch memory from the arena for this time.
  BoundPrimitive(const dnnl::primitive_desc_base& descriptor, ArenaPlan& arena, int time);

  explicit operator bool() const { return descriptor_.has_value(); }
  /// Compiles the primitive and gives it its scratch memory.
  void bind(const ArenaPlan& arena, std::byte* memory);
  void argument(int name, const dnnl::memory::desc& descriptor, const void* data);
  void execute();

 private:
  std::optional<dnnl::primitive_desc_base> descriptor_;
  std::optional<BufferId> scratch_;
  dnnl::primitive primitive_;
  std::unordered_map<int, dnnl::memory> arguments_;
};

/// For instance "oneDNN 2.6.3".
std::string onednn_version();

/// Whether oneDNN computes convolutions in bfloat16 by kernels of its own on this processor.
bool onednn_has_bfloat16();

}  // namespace dl::cpu
