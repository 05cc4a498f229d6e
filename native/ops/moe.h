// Routed experts (MODEL.md 2.5).
//   logit = router · (rms0(a) ⊙ router_scale)              a: the residual, before any norm with
//   weights S     = the top_k largest logits, the lower index where two are equal w_e   = softmax
//   over S, times expert_scale[e] out   = Σ_{e ∈ S} w_e · down_e · ( gelu(gate_e · x) ⊙ (up_e · x)
//   )
// Router and sums are f32 in both compute modes.
#pragma once

#include <span>

#include "ops/moe_host.h"

namespace sfumato {

struct MoeArgs {
    View<const float> a;           // [tokens, hidden]
    View<const float> x;           // [tokens, hidden]
    const float* router;           // [experts, hidden]
    const float* router_scale;     // [hidden], hidden^-½ included
    const float* expert_scale;     // [experts]
    std::span<const Matrix> gate;  // experts × [expert_ffn, hidden]
    std::span<const Matrix> up;    // experts × [expert_ffn, hidden]
    std::span<const Matrix> down;  // experts × [hidden, expert_ffn]
    int top_k;
    float eps;
    View<float> out;  // [tokens, hidden]
    // The last experts where the host computes them; gate, up and down of a GPU lack them.
    const HostExperts* host = nullptr;
};

namespace ops {
void moe(const Context&, const MoeArgs&);
}
namespace cpu {
void moe(const Context&, const MoeArgs&);
}
namespace cuda {
void moe(const Context&, const MoeArgs&);
}

}  // namespace sfumato
