#include "ops/mlp.h"

#include "core/op_times.h"
#include "cpu/kernels.h"

namespace sfumato::cpu {

void mlp(const Context& context, const MlpArgs& a) {
    const OpTimer timer("mlp");
    Arena::Scope scope(context.scratch);
    const View<float> gate = context.scratch.take<float>(a.x.rows, a.gate.outputs);
    const View<float> up = context.scratch.take<float>(a.x.rows, a.gate.outputs);
    const Projection projections[] = {{&a.gate, gate}, {&a.up, up}};
    linear(context, {.x = a.x, .projections = projections});
    context.threads.run_range(a.x.rows, 4, [&](int begin, int end, int) {
        for (int r = begin; r < end; ++r)
            kernels().geglu(gate.row(r), up.row(r), gate.width, gate.row(r));
    });
    const Projection down[] = {{&a.down, a.out}};
    linear(context, {.x = gate, .projections = down});
}

}  // namespace sfumato::cpu
