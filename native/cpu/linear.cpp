#include "ops/linear.h"

#include "core/op_times.h"

namespace sfumato::cpu {

Rows rows_for(const Context& context, View<const float> x) {
    Rows rows{.rows = x.rows, .inputs = x.width, .x = x.data};
    // Rows that are no whole number of groups meet matrices in 32 bits only.
    if (context.compute == Compute::reference || x.width % group != 0) return rows;
    const int groups = x.width / group;
    auto* q = context.scratch.take<int8_t>(x.size());
    float* scale = context.scratch.take<float>(x.rows, groups).data;
    float* sum = context.scratch.take<float>(x.rows, groups).data;
    context.threads.run_range(x.rows, 16, [&](int begin, int end, int) {
        quantize_rows(x.data, begin, end, x.width, q, scale, sum);
    });
    rows.q = q;
    rows.scale = scale;
    rows.sum = sum;
    return rows;
}

void linear(const Context& context, const LinearArgs& a) {
    const OpTimer timer("linear");
    Arena::Scope scope(context.scratch);
    const Rows rows = rows_for(context, a.x);
    int panels = 0;
    for (const Projection& p : a.projections) panels += p.w->panels();
    struct Place {
        const Projection* projection;
        int panel;
    };
    const auto place = [&](int panel) {
        const Projection* p = a.projections.data();
        for (; panel >= p->w->panels(); ++p) panel -= p->w->panels();
        return Place{p, panel};
    };
    context.threads.run(panels, [&](int task, int) {
        const auto [p, panel] = place(task);
        const std::byte* next = nullptr;  // what this thread will most likely take
        if (const int then = task + context.threads.count(); then < panels) {
            const auto [following, its_panel] = place(then);
            next = panel_data(*following->w, its_panel);
        }
        gemm_panel(*p->w,
                   panel,
                   rows,
                   nullptr,
                   rows.rows,
                   p->out.data + panel * panel_outputs,
                   p->out.width,
                   Weights::exact,
                   next);
    });
}

}  // namespace sfumato::cpu
