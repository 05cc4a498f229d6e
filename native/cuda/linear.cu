// Matrices that share their input: it is rounded to 8 bits once.
#include "ops/linear.h"

#include <algorithm>

#include "cuda/product.cuh"

namespace sfumato::cuda {

void linear(const Context& context, const LinearArgs& a) {
    Arena::Scope scope(context.scratch);
    const bool codes = std::any_of(a.projections.begin(),
                                   a.projections.end(),
                                   [](const Projection& p) { return has_codes(p.w->type); });
    const Activations x = activations(context, a.x, codes);
    for (const Projection& p : a.projections)
        product(context, {.type = p.w->type, .w = weights_of(*p.w), .x = x, .out = p.out});
}

}  // namespace sfumato::cuda
