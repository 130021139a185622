#pragma once

#include "reference/tensor.h"

namespace dl::reference {

/// What activations, their gradients and the weights of convolutions and fully connected layers are rounded to where they are
/// stored; logits, sums and all else stay float64. kBfloat16 shows what that format costs a network by itself, whoever computes
/// in it. kBfloat16BiasApart rounds once more: what a bias is added to.
enum class Storage { kFloat64, kBfloat16, kBfloat16BiasApart };

/// To the nearest value with 8 significant bits, ties to even.
double round_to_bfloat16(double value);

void round_values(Values& values, Storage storage);

}  // namespace dl::reference
