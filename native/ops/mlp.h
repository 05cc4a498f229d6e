// Gated feed-forward network (MODEL.md 2.3).
//   out = down · ( gelu(gate · x) ⊙ (up · x) )
#pragma once

#include "ops/linear.h"

namespace sfumato {

struct MlpArgs {
    View<const float> x;  // [rows, hidden]
    const Matrix& gate;   // [ffn, hidden]
    const Matrix& up;     // [ffn, hidden]
    const Matrix& down;   // [hidden, ffn]
    View<float> out;      // [rows, hidden]
};

namespace ops {
void mlp(const Context&, const MlpArgs&);
}
namespace cpu {
void mlp(const Context&, const MlpArgs&);
}
namespace cuda {
void mlp(const Context&, const MlpArgs&);
}

}  // namespace sfumato
