#include "cpu/onednn.h"

#include <cmath>
#include <string_view>

#include "engine/error.h"

namespace dl::cpu {
namespace {

using dnnl::memory;
using dnnl::prop_kind;

memory::data_type data_type(DataType type) {
  return type == DataType::kFloat32 ? memory::data_type::f32 : memory::data_type::bf16;
}

dnnl::primitive_attr user_scratchpad() {
  dnnl::primitive_attr attributes;
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  return attributes;
}

void append_eltwise(dnnl::post_ops& operations, dnnl::algorithm algorithm, float beta) {
#if DNNL_VERSION_MAJOR >= 3
  operations.append_eltwise(algorithm, 0.0f, beta);
#else
  operations.append_eltwise(1.0f, algorithm, 0.0f, beta);
#endif
}

/// What is computed is added to what is there.
dnnl::primitive_attr adding() {
  dnnl::post_ops operations;
  operations.append_sum(1.0f);
  dnnl::primitive_attr attributes = user_scratchpad();
  attributes.set_post_ops(operations);
  return attributes;
}

/// What a convolution does to its sums last: adds the output's present contents, then the activation.
dnnl::primitive_attr output_stage(const LinearShape& shape) {
  dnnl::post_ops operations;
  if (shape.adds) operations.append_sum(1.0f);
  if (shape.activation.present) {
    const bool bounded = std::isfinite(shape.activation.upper);
    append_eltwise(operations, bounded ? dnnl::algorithm::eltwise_clip : dnnl::algorithm::eltwise_relu,
                   bounded ? shape.activation.upper : 0.0f);
  }
  dnnl::primitive_attr attributes = user_scratchpad();
  attributes.set_post_ops(operations);
  return attributes;
}

constexpr auto kDirect = dnnl::algorithm::convolution_direct;

/// oneDNN 2.6's kernels for 1 x 1 convolutions give wrong weight gradients where they gather strided pixels of a number of
/// channels that does not fill their vectors: they read scratch memory that nobody has written, so that the error comes and goes
/// with what was there before. Such a descriptor goes on to the next implementation; call it while the hint is alive.
template <class Descriptor>
Descriptor without_wrong_kernel(Descriptor descriptor, const LinearShape& s) {
  const bool is_1x1 = s.weights[s.weights.size() - 2] == 1 && s.weights.back() == 1;
  const bool gathers = is_1x1 && (s.stride[0] > 1 || s.stride[1] > 1) && s.weights[s.weights.size() - 3] % 16 != 0;
  const auto is_wrong = [&] {
    const std::string_view name(descriptor.impl_info_str());
    return name.starts_with("jit_1x1:") || name.starts_with("jit_bf16_1x1:");
  };
  while (gathers && is_wrong()) {
    if (!descriptor.next_impl()) throw Error(Reason::kInternal, "oneDNN has no other kernel for a strided 1 x 1 convolution");
  }
  return descriptor;
}

#if DNNL_VERSION_MAJOR >= 3

auto convolution_forward(const LinearShape& s, const memory::desc& source, prop_kind kind) {
  return dnnl::convolution_forward::primitive_desc(
      onednn_engine(), kind, kDirect, source, any_weights_descriptor(s.weights, s.in_type), bias_descriptor(s),
      output_descriptor(s, s.out_type), s.stride, s.padding, s.padding, output_stage(s));
}

auto matrix_product(const memory::desc& a, const memory::desc& b, const memory::desc& c, const dnnl::primitive_attr& attributes) {
  return dnnl::matmul::primitive_desc(onednn_engine(), a, b, c, attributes);
}

auto inner_product_forward(const LinearShape& s, prop_kind kind) {
  return dnnl::inner_product_forward::primitive_desc(onednn_engine(), kind, flat_descriptor(s, s.in_type),
                                                     plain_weights_descriptor(s.weights, s.in_type), bias_descriptor(s),
                                                     output_descriptor(s, s.out_type), user_scratchpad());
}

auto convolution_backward_data(const LinearShape& s) {
  const auto hint = convolution_forward(s, activation_descriptor(s.in, s.in_type), prop_kind::forward_training);
  return dnnl::convolution_backward_data::primitive_desc(
      onednn_engine(), kDirect, activation_descriptor(s.in, s.in_type), any_weights_descriptor(s.weights, s.in_type),
      output_descriptor(s, s.gradient_type), s.stride, s.padding, s.padding, hint, user_scratchpad());
}

auto inner_product_backward_data(const LinearShape& s) {
  return dnnl::inner_product_backward_data::primitive_desc(
      onednn_engine(), flat_descriptor(s, s.in_type), plain_weights_descriptor(s.weights, s.in_type),
      output_descriptor(s, s.gradient_type), inner_product_forward(s, prop_kind::forward_training), user_scratchpad());
}

auto convolution_backward_weights(const LinearShape& s) {
  const auto hint = convolution_forward(s, activation_descriptor(s.in, s.in_type), prop_kind::forward_training);
  return without_wrong_kernel(
      dnnl::convolution_backward_weights::primitive_desc(
          onednn_engine(), kDirect, activation_descriptor(s.in, s.in_type), any_weights_descriptor(s.weights, DataType::kFloat32),
          bias_descriptor(s), output_descriptor(s, s.gradient_type), s.stride, s.padding, s.padding, hint, user_scratchpad()),
      s);
}

auto inner_product_backward_weights(const LinearShape& s) {
  return dnnl::inner_product_backward_weights::primitive_desc(
      onednn_engine(), flat_descriptor(s, s.in_type), plain_weights_descriptor(s.weights, DataType::kFloat32), bias_descriptor(s),
      output_descriptor(s, s.gradient_type), inner_product_forward(s, prop_kind::forward_training), user_scratchpad());
}

#else

auto convolution_forward(const LinearShape& s, const memory::desc& source, prop_kind kind) {
  return dnnl::convolution_forward::primitive_desc(
      {kind, kDirect, source, any_weights_descriptor(s.weights, s.in_type), bias_descriptor(s), output_descriptor(s, s.out_type),
       s.stride, s.padding, s.padding},
      output_stage(s), onednn_engine());
}

auto matrix_product(const memory::desc& a, const memory::desc& b, const memory::desc& c, const dnnl::primitive_attr& attributes) {
  return dnnl::matmul::primitive_desc({a, b, c}, attributes, onednn_engine());
}

auto inner_product_forward(const LinearShape& s, prop_kind kind) {
  return dnnl::inner_product_forward::primitive_desc(
      {kind, flat_descriptor(s, s.in_type), plain_weights_descriptor(s.weights, s.in_type), bias_descriptor(s),
       output_descriptor(s, s.out_type)},
      user_scratchpad(), onednn_engine());
}

auto convolution_backward_data(const LinearShape& s) {
  const auto hint = convolution_forward(s, activation_descriptor(s.in, s.in_type), prop_kind::forward_training);
  return dnnl::convolution_backward_data::primitive_desc(
      {kDirect, activation_descriptor(s.in, s.in_type), any_weights_descriptor(s.weights, s.in_type),
       output_descriptor(s, s.gradient_type), s.stride, s.padding, s.padding},
      user_scratchpad(), onednn_engine(), hint);
}

auto inner_product_backward_data(const LinearShape& s) {
  return dnnl::inner_product_backward_data::primitive_desc(
      {flat_descriptor(s, s.in_type), plain_weights_descriptor(s.weights, s.in_type), output_descriptor(s, s.gradient_type)},
      user_scratchpad(), onednn_engine(), inner_product_forward(s, prop_kind::forward_training));
}

auto convolution_backward_weights(const LinearShape& s) {
  const auto hint = convolution_forward(s, activation_descriptor(s.in, s.in_type), prop_kind::forward_training);
  return without_wrong_kernel(
      dnnl::convolution_backward_weights::primitive_desc(
          {kDirect, activation_descriptor(s.in, s.in_type), any_weights_descriptor(s.weights, DataType::kFloat32),
           bias_descriptor(s), output_descriptor(s, s.gradient_type), s.stride, s.padding, s.padding},
          user_scratchpad(), onednn_engine(), hint),
      s);
}

auto inner_product_backward_weights(const LinearShape& s) {
  return dnnl::inner_product_backward_weights::primitive_desc(
      {flat_descriptor(s, s.in_type), plain_weights_descriptor(s.weights, DataType::kFloat32), bias_descriptor(s),
       output_descriptor(s, s.gradient_type)},
      user_scratchpad(), onednn_engine(), inner_product_forward(s, prop_kind::forward_training));
}

#endif

}  // namespace

int64_t bytes_of(DataType type) { return type == DataType::kFloat32 ? 4 : 2; }

const dnnl::engine& onednn_engine() {
  static const dnnl::engine engine(dnnl::engine::kind::cpu, 0);
  return engine;
}

memory::desc activation_descriptor(const Layout& layout, DataType type) {
  const auto tag = layout.order == Order::kNhwc        ? memory::format_tag::nhwc
                   : layout.order == Order::kBlocked16 ? memory::format_tag::nChw16c
                                                       : memory::format_tag::nchw;
  return {{layout.images, layout.channels, layout.height, layout.width}, data_type(type), tag};
}

memory::desc plain_weights_descriptor(const memory::dims& dims, DataType type) {
  const auto tag = dims.size() == 5   ? memory::format_tag::goihw
                   : dims.size() == 4 ? memory::format_tag::oihw
                                      : memory::format_tag::oi;
  return {dims, data_type(type), tag};
}

memory::desc any_weights_descriptor(const memory::dims& dims, DataType type) {
  return {dims, data_type(type), memory::format_tag::any};
}

memory::desc bias_descriptor(const LinearShape& shape) {
  if (!shape.bias) return {};
  return {{shape.out.channels}, memory::data_type::f32, memory::format_tag::a};
}

memory::desc flat_descriptor(const LinearShape& shape, DataType type) {
  return {{shape.in.images, shape.weights[1]}, data_type(type), memory::format_tag::nc};
}

memory::desc output_descriptor(const LinearShape& shape, DataType type) {
  if (shape.is_convolution()) return activation_descriptor(shape.out, type);
  return {{shape.out.images, shape.out.channels}, data_type(type), memory::format_tag::nc};
}

PrimitiveChoice forward_choice(const LinearShape& shape, bool training) {
  const auto kind = training ? prop_kind::forward_training : prop_kind::forward_inference;
  if (shape.is_convolution()) {
    const auto descriptor = convolution_forward(shape, activation_descriptor(shape.in, shape.in_type), kind);
    return {descriptor, descriptor.weights_desc(), descriptor.src_desc()};
  }
  const auto descriptor = inner_product_forward(shape, kind);
  return {descriptor, descriptor.weights_desc(), descriptor.src_desc()};
}

PrimitiveChoice backward_data_choice(const LinearShape& shape) {
  if (shape.is_convolution()) {
    const auto descriptor = convolution_backward_data(shape);
    return {descriptor, descriptor.weights_desc(), descriptor.diff_src_desc()};
  }
  const auto descriptor = inner_product_backward_data(shape);
  return {descriptor, descriptor.weights_desc(), descriptor.diff_src_desc()};
}

PrimitiveChoice backward_weights_choice(const LinearShape& shape) {
  if (shape.is_convolution()) {
    const auto descriptor = convolution_backward_weights(shape);
    return {descriptor, descriptor.diff_weights_desc(), descriptor.src_desc()};
  }
  const auto descriptor = inner_product_backward_weights(shape);
  return {descriptor, descriptor.diff_weights_desc(), descriptor.src_desc()};
}

memory::desc transposed_output_descriptor(const LinearShape& shape) {
  return {{shape.out.channels, shape.out.images}, data_type(shape.gradient_type), memory::dims{1, shape.out.channels}};
}

dnnl::primitive_desc_base added_weights_choice(const LinearShape& shape) {
  return matrix_product(transposed_output_descriptor(shape), flat_descriptor(shape, shape.in_type),
                        plain_weights_descriptor(shape.weights), adding());
}

dnnl::primitive_desc_base reorder_choice(const memory::desc& from, const memory::desc& to, bool accumulate) {
  const dnnl::primitive_attr attributes = accumulate ? adding() : user_scratchpad();
  return dnnl::reorder::primitive_desc(onednn_engine(), from, onednn_engine(), to, attributes);
}

BoundPrimitive::BoundPrimitive(const dnnl::primitive_desc_base& descriptor, ArenaPlan& arena, int time)
    : descriptor_(descriptor) {
  const auto bytes = static_cast<int64_t>(descriptor.query_md(dnnl::query::scratchpad_md).get_size());
  if (bytes > 0) scratch_ = arena.add(bytes, time);
}

void BoundPrimitive::bind(const ArenaPlan& arena, std::byte* memory) {
  primitive_ = dnnl::primitive(descriptor_->get());
  if (scratch_)
    argument(DNNL_ARG_SCRATCHPAD, descriptor_->query_md(dnnl::query::scratchpad_md), memory + arena.offset(*scratch_));
}

void BoundPrimitive::argument(int name, const memory::desc& descriptor, const void* data) {
  arguments_.insert_or_assign(name, memory(descriptor, onednn_engine(), const_cast<void*>(data)));
}

void BoundPrimitive::execute() {
  static thread_local dnnl::stream stream(onednn_engine());
  primitive_.execute(stream, arguments_);
}

std::string onednn_version() {
  const dnnl_version_t* version = dnnl_version();
  return "oneDNN " + std::to_string(version->major) + "." + std::to_string(version->minor) + "." + std::to_string(version->patch);
}

bool onednn_has_bfloat16() {
  const auto isa = static_cast<unsigned>(dnnl::get_effective_cpu_isa());
  const auto wanted = static_cast<unsigned>(dnnl::cpu_isa::avx512_core);
  return (isa & wanted) == wanted;
}

}  // namespace dl::cpu
