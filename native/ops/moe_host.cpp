#include "ops/moe_host.h"

#include <algorithm>
#include <numeric>

#include "cpu/kernels.h"
#include "ops/linear.h"

namespace sfumato {

HostShare::HostShare(Stream& stream, Threads& on, int rows, int hidden, int top_k, int experts)
    : threads(on) {
    const auto pairs = static_cast<size_t>(rows) * static_cast<size_t>(top_k);
    const auto floats = static_cast<size_t>(rows) * static_cast<size_t>(hidden);
    const size_t x_bytes = floats * sizeof(float);
    const size_t each_bytes = x_bytes * static_cast<size_t>(top_k);
    const size_t token_bytes = (pairs * sizeof(int32_t) + 127) / 128 * 128;
    memory_ = stream.allocate_shared(
        x_bytes + each_bytes + token_bytes + (static_cast<size_t>(experts) + 1) * sizeof(int32_t),
        "the processor's share of the experts");
    std::byte* at = memory_.data();
    x = {reinterpret_cast<float*>(at), rows, hidden};
    each = {reinterpret_cast<float*>(at += x_bytes), rows * top_k, hidden};
    token = reinterpret_cast<int32_t*>(at += each_bytes);
    first = reinterpret_cast<int32_t*>(at + token_bytes);
}

namespace {

using namespace cpu;

// out[p] = W_e · x[p] for the pairs of each expert, or what `finish` makes of
// its panel.
template <class Task>
void each_panel(const HostExperts& h, int panels, Task&& task) {
    h.share->threads.run(h.count() * panels, [&](int index, int worker) {
        const int e = index / panels, first = h.share->first[e];
        const int count = h.share->first[e + 1] - first;
        if (count > 0) task(static_cast<size_t>(e), index % panels, first, count, worker);
    });
}

void compute(const HostExperts& h) {
    HostShare& s = *h.share;
    const int pairs = s.first[h.count()];
    if (pairs == 0) return;
    Arena::Scope scope(s.scratch);
    const Context context{.device = Device::cpu,
                          .compute = Compute::fast,
                          .threads = s.threads,
                          .scratch = s.scratch};
    const View<float> x = s.scratch.take<float>(pairs, s.x.width);
    const View<float> activated = s.scratch.take<float>(pairs, h.gate[0].outputs);
    auto* own = s.scratch.take<int32_t>(static_cast<size_t>(pairs));
    std::iota(own, own + pairs, 0);
    s.threads.run_range(pairs, 16, [&](int begin, int end, int) {
        for (int p = begin; p < end; ++p) std::copy_n(s.x.row(s.token[p]), x.width, x.row(p));
    });
    {
        Arena::Scope inner(s.scratch);
        const Rows rows = rows_for(context, x);
        const View<float> work =
            s.scratch.take<float>(s.threads.count(), 2 * panel_outputs * pairs);
        each_panel(h, h.gate[0].panels(), [&](size_t e, int panel, int first, int count, int w) {
            float* gate = work.row(w);
            float* up = gate + panel_outputs * count;
            gemm_panel(h.gate[e], panel, rows, own + first, count, gate, panel_outputs);
            gemm_panel(h.up[e], panel, rows, own + first, count, up, panel_outputs);
            const int at = panel * panel_outputs,
                      width = std::min(panel_outputs, activated.width - at);
            for (int i = 0; i < count; ++i)
                kernels().geglu(gate + i * panel_outputs,
                                up + i * panel_outputs,
                                width,
                                activated.row(first + i) + at);
        });
    }
    const Rows rows = rows_for(context, activated);
    each_panel(h, h.down[0].panels(), [&](size_t e, int panel, int first, int count, int) {
        gemm_panel(h.down[e],
                   panel,
                   rows,
                   own + first,
                   count,
                   s.each.row(first) + panel * panel_outputs,
                   s.each.width);
    });
}

}  // namespace

void ops::host_experts(const HostExperts& experts) noexcept {
    try {
        compute(experts);
    } catch (const std::exception&) {
        experts.share->failed = true;
    }
}

}  // namespace sfumato
