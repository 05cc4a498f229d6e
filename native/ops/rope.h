// Norm of each head, then the rotary embedding (MODEL.md 1.3, 2.4).
//   h = x[r, head] · (mean(h²) + eps)^-½ · weight        weight: optional
//   element i is rotated with element i + head_dim / 2    angles: optional
#pragma once

#include "ops/dispatch.h"

namespace sfumato {

struct RopeArgs {
    View<const float> x;  // [rows, heads * head_dim]
    int head_dim;
    const float* weight = nullptr;  // [head_dim]
    View<const float> angles = {};  // [rows, head_dim]: cosines, then sines, of head_dim / 2 angles
    float eps;
    View<float> out;  // [rows, heads * head_dim], may be x
};

struct AnglesArgs {
    int first_position;        // of row 0
    const float* frequencies;  // [head_dim / 2]
    View<float> out;           // [rows, head_dim], as RopeArgs::angles
};

namespace ops {
void rope(const Context&, const RopeArgs&);
void angles(const Context&, const AnglesArgs&);
}  // namespace ops
namespace cpu {
void rope(const Context&, const RopeArgs&);
void angles(const Context&, const AnglesArgs&);
}  // namespace cpu
namespace cuda {
void rope(const Context&, const RopeArgs&);
void angles(const Context&, const AnglesArgs&);
}  // namespace cuda

}  // namespace sfumato
