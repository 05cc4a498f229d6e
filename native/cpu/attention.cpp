#include "ops/attention.h"

#include <algorithm>
#include <cstring>

#include "core/op_times.h"
#include "cpu/kernels.h"

namespace sfumato::cpu {
namespace {

// Queries of a task: enough to pay for loading the keys, few enough to stay in the second cache.
constexpr int task_queries = 64;

void save(const float* from, bool half, int count, std::byte* out) {
    if (!half) {
        std::memcpy(out, from, static_cast<size_t>(count) * sizeof(float));
        return;
    }
    auto* halves = reinterpret_cast<uint16_t*>(out);
    for (int i = 0; i < count; ++i) halves[i] = float_to_half(from[i]);
}

size_t slot_offset(const KeyValues& kv, int kv_head, int position) {
    const size_t slot = static_cast<size_t>(kv_head) * static_cast<size_t>(kv.capacity) +
                        static_cast<size_t>(position % kv.capacity);
    return slot * static_cast<size_t>(kv.head_dim) * (kv.half ? 2 : 4);
}

}  // namespace

void attention(const Context& context, const AttentionArgs& a) {
    const OpTimer timer("attention");
    Arena::Scope scope(context.scratch);
    const KeyValues& kv = a.kv;
    const int heads = a.q.width / kv.head_dim / kv.kv_heads;
    const int task_rows = std::max(1, task_queries / heads);
    const size_t floats = attention_floats(kv.head_dim, task_rows * heads);
    float* memory =
        context.scratch.take<float>(floats * static_cast<size_t>(context.threads.count()));
    const int tiles = (a.q.rows + task_rows - 1) / task_rows;
    context.threads.run(tiles * kv.kv_heads, [&](int task, int worker) {
        const int head = task % kv.kv_heads, first = task / kv.kv_heads * task_rows;
        const size_t at = slot_offset(kv, head, 0);
        kernels().attention({.q = a.q.data + head * heads * kv.head_dim,
                             .out = a.out.data + head * heads * kv.head_dim,
                             .stride = a.q.width,
                             .rows = a.q.rows,
                             .first_row = first,
                             .end_row = std::min(first + task_rows, a.q.rows),
                             .heads = heads,
                             .head_dim = kv.head_dim,
                             .keys = kv.keys + at,
                             .values = kv.values + at,
                             .half = kv.half,
                             .capacity = kv.capacity,
                             .first_position = a.first_position,
                             .causal = a.causal,
                             .window = a.window,
                             .memory = memory + floats * static_cast<size_t>(worker)});
    });
}

void store(const Context& context, const StoreArgs& a) {
    const OpTimer timer("attention");
    const int d = a.kv.head_dim;
    context.threads.run_range(a.keys.rows, 8, [&](int begin, int end, int) {
        for (int r = begin; r < end; ++r)
            for (int head = 0; head < a.kv.kv_heads; ++head) {
                const size_t at = slot_offset(a.kv, head, a.first_position + r);
                save(a.keys.row(r) + head * d, a.kv.half, d, a.kv.keys + at);
                save(a.values.row(r) + head * d, a.kv.half, d, a.kv.values + at);
            }
    });
}

}  // namespace sfumato::cpu
