// Products of activations with matrices that share their input.
//   out_i = x · W_iᵀ
#pragma once

#include <span>

#include "ops/dispatch.h"

namespace sfumato {

struct Projection {
    const Matrix* w;  // [outputs, inputs]
    View<float> out;  // [rows, outputs]
};

struct LinearArgs {
    View<const float> x;  // [rows, inputs]
    std::span<const Projection> projections;
};

namespace ops {
void linear(const Context&, const LinearArgs&);
}
namespace cpu {
void linear(const Context&, const LinearArgs&);
// Activations as the products of `context.compute` read them, in its scratch memory.
Rows rows_for(const Context&, View<const float> x);
}  // namespace cpu
namespace cuda {
void linear(const Context&, const LinearArgs&);
}

}  // namespace sfumato
