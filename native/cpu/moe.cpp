#include "ops/moe.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/op_times.h"
#include "cpu/kernels.h"
#include "cpu/vector_math.h"
#include "ops/linear.h"

namespace sfumato::cpu {
namespace {

// Which experts each token uses, and all (token, expert) pairs in the order of their experts.
struct Routing {
    View<int32_t> expert;  // [tokens, top_k]
    View<float> weight;    // [tokens, top_k]
    View<int32_t> pair;    // [tokens, top_k], place among the sorted pairs
    int32_t* token;        // [pairs], of each sorted pair
    int32_t* first;        // [experts + 1], where an expert's pairs begin
    int32_t* used;         // experts with at least one pair
    int used_count;
};

// Of a task: the weights of some experts stay in the second cache while all tokens meet them.
constexpr int router_tokens = 16, router_experts = 16;

// The router's input: the un-normalised residual, with a norm of its own.
void scale_row(const MoeArgs& a, int token, float* out) {
    const float* x = a.a.row(token);
    const int hidden = a.x.width;
    const float factor = 1.0f / std::sqrt(dot(x, x, hidden) / static_cast<float>(hidden) + a.eps);
    for (int i = 0; i < hidden; ++i) out[i] = x[i] * factor * a.router_scale[i];
}

// A token's experts and their weights.
void pick(const MoeArgs& a, const float* logits, int32_t* expert, float* weight) {
    const int experts = static_cast<int>(a.gate.size());
    const auto taken = [&](int e, int k) {
        for (int i = 0; i < k; ++i)
            if (expert[i] == e) return true;
        return false;
    };
    float total = 0.0f;
    for (int k = 0; k < a.top_k; ++k) {
        int best = -1;
        for (int e = 0; e < experts; ++e)
            if (!taken(e, k) && (best < 0 || logits[e] > logits[best])) best = e;
        expert[k] = best;
        weight[k] = std::exp(logits[best] - logits[expert[0]]);
        total += weight[k];
    }
    for (int k = 0; k < a.top_k; ++k) weight[k] *= a.expert_scale[expert[k]] / total;
}

Routing route(const Context& context, const MoeArgs& a) {
    const OpTimer timer("router");
    const int experts = static_cast<int>(a.gate.size()), tokens = a.x.rows,
              pairs = tokens * a.top_k;
    Arena& scratch = context.scratch;
    Routing r{.expert = scratch.take<int32_t>(tokens, a.top_k),
              .weight = scratch.take<float>(tokens, a.top_k),
              .pair = scratch.take<int32_t>(tokens, a.top_k),
              .token = scratch.take<int32_t>(static_cast<size_t>(pairs)),
              .first = scratch.take<int32_t>(static_cast<size_t>(experts) + 1),
              .used = scratch.take<int32_t>(static_cast<size_t>(experts)),
              .used_count = 0};
    const View<float> work = scratch.take<float>(
        context.threads.count(), router_tokens * (a.x.width + experts + router_experts));
    context.threads.run_range(tokens, router_tokens, [&](int begin, int end, int worker) {
        float* scaled = work.row(worker);
        float* logits = scaled + router_tokens * a.x.width;
        for (int t = begin; t < end; ++t) scale_row(a, t, scaled + (t - begin) * a.x.width);
        float* some = logits + router_tokens * experts;  // [tokens, count]
        for (int e = 0; e < experts; e += router_experts) {
            const int count = std::min(router_experts, experts - e);
            const float* weights = a.router + static_cast<ptrdiff_t>(e) * a.x.width;
            kernels().float_product(scaled, end - begin, weights, count, a.x.width, some);
            for (int t = 0; t < end - begin; ++t)
                std::copy_n(some + t * count, count, logits + t * experts + e);
        }
        for (int t = begin; t < end; ++t)
            pick(a, logits + (t - begin) * experts, r.expert.row(t), r.weight.row(t));
    });
    std::fill_n(r.first, experts + 1, 0);
    for (int p = 0; p < pairs; ++p) ++r.first[r.expert.data[p] + 1];
    for (int e = 0; e < experts; ++e) {
        if (r.first[e + 1] > 0) r.used[r.used_count++] = e;
        r.first[e + 1] += r.first[e];
    }
    auto* next = scratch.take<int32_t>(static_cast<size_t>(experts));
    std::copy_n(r.first, experts, next);
    for (int t = 0; t < tokens; ++t)
        for (int k = 0; k < a.top_k; ++k) {
            const int32_t place = next[r.expert.row(t)[k]]++;
            r.pair.row(t)[k] = place;
            r.token[place] = t;
        }
    return r;
}

constexpr int down_panels = 4;  // of a task: these have few inputs

int pieces(std::span<const Matrix> experts, int panels) {
    return (experts[0].panels() + panels - 1) / panels;
}

// The first panel of the task that the thread of `task` will most likely take next, of tasks of
// `panels` panels.
const std::byte* next_panel(const Context& context,
                            const Routing& r,
                            std::span<const Matrix> experts,
                            int task,
                            int panels) {
    const int per_expert = pieces(experts, panels);
    task += context.threads.count();
    if (task >= r.used_count * per_expert) return nullptr;
    const auto e = static_cast<size_t>(r.used[task / per_expert]);
    return panel_data(experts[e], task % per_expert * panels);
}

// activated[pair] = gelu(gate_e · x) ⊙ (up_e · x), one panel of one expert a task.
void gate_up(const Context& context, const MoeArgs& a, const Routing& r, View<float> activated) {
    const OpTimer timer("experts: gate, up");
    Arena::Scope scope(context.scratch);
    const Rows rows = rows_for(context, a.x);
    const View<float> work =
        context.scratch.take<float>(context.threads.count(), 2 * panel_outputs * a.x.rows);
    const int panels = a.gate[0].panels();
    context.threads.run(r.used_count * panels, [&](int task, int worker) {
        const int e = r.used[task / panels], panel = task % panels;
        const int first = r.first[e], count = r.first[e + 1] - first;
        const auto index = static_cast<size_t>(e);
        float* gate = work.row(worker);
        float* up = gate + panel_outputs * count;
        const auto multiply = [&](const Matrix& w, float* out, const std::byte* next) {
            gemm_panel(
                w, panel, rows, r.token + first, count, out, panel_outputs, Weights::exact, next);
        };
        multiply(a.gate[index], gate, panel_data(a.up[index], panel));
        multiply(a.up[index], up, next_panel(context, r, a.gate, task, 1));
        const int width = std::min(panel_outputs, activated.width - panel * panel_outputs);
        for (int i = 0; i < count; ++i) {
            float* out = activated.row(first + i) + panel * panel_outputs;
            kernels().geglu(gate + i * panel_outputs, up + i * panel_outputs, width, out);
        }
    });
}

// One row a pair; the sum over a token's experts comes after, in fixed order.
void down(const Context& context,
          const MoeArgs& a,
          const Routing& r,
          View<const float> activated,
          View<float> out) {
    const OpTimer timer("experts: down");
    Arena::Scope scope(context.scratch);
    const Rows rows = rows_for(context, activated);
    auto* own = context.scratch.take<int32_t>(static_cast<size_t>(activated.rows));
    std::iota(own, own + activated.rows, 0);
    const int per_expert = pieces(a.down, down_panels);
    context.threads.run(r.used_count * per_expert, [&](int task, int) {
        const int e = r.used[task / per_expert], begin = task % per_expert * down_panels;
        const int first = r.first[e], count = r.first[e + 1] - first;
        const Matrix& w = a.down[static_cast<size_t>(e)];
        const int end = std::min(begin + down_panels, w.panels());
        for (int panel = begin; panel < end; ++panel)
            gemm_panel(w,
                       panel,
                       rows,
                       own + first,
                       count,
                       out.row(first) + panel * panel_outputs,
                       out.width,
                       Weights::exact,
                       panel + 1 < end ? panel_data(w, panel + 1)
                                       : next_panel(context, r, a.down, task, down_panels));
    });
}

}  // namespace

void moe(const Context& context, const MoeArgs& a) {
    const OpTimer timer("moe");
    Arena::Scope scope(context.scratch);
    const Routing r = route(context, a);
    const int pairs = a.x.rows * a.top_k;
    const View<float> activated = context.scratch.take<float>(pairs, a.gate[0].outputs);
    const View<float> each = context.scratch.take<float>(pairs, a.out.width);
    gate_up(context, a, r, activated);
    down(context, a, r, activated, each);
    const View<const float*> rows =
        context.scratch.take<const float*>(context.threads.count(), a.top_k);
    context.threads.run_range(a.x.rows, 4, [&](int begin, int end, int worker) {
        for (int t = begin; t < end; ++t) {
            std::fill_n(a.out.row(t), a.out.width, 0.0f);
            const float** from = rows.row(worker);
            for (int k = 0; k < a.top_k; ++k) from[k] = each.row(r.pair.row(t)[k]);
            kernels().add_weighted(from, r.weight.row(t), a.top_k, a.out.width, a.out.row(t));
        }
    });
}

}  // namespace sfumato::cpu
