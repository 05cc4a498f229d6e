// Gated feed-forward network: what gate and up make stays 8-bit until down has used it.
#include "ops/mlp.h"

#include "cuda/product.cuh"

namespace sfumato::cuda {

void mlp(const Context& context, const MlpArgs& a) {
    Arena::Scope scope(context.scratch);
    const Activations x = activations(context, a.x, has_codes(a.gate.type) || has_codes(a.up.type));
    const Activations activated = gate_up(context,
                                          {.gate_type = a.gate.type,
                                           .up_type = a.up.type,
                                           .gate = weights_of(a.gate),
                                           .up = weights_of(a.up),
                                           .x = x,
                                           .positions = a.x.rows,
                                           .codes = has_codes(a.down.type)});
    product(context, {.type = a.down.type, .w = weights_of(a.down), .x = activated, .out = a.out});
}

}  // namespace sfumato::cuda
