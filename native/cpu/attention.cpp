#include "ops/attention.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "cpu/vector_math.h"

namespace sfumato::cpu {
namespace {

constexpr int key_tile = 64;  // keys whose scores are taken at once (online softmax between tiles)
constexpr int row_tile = 8;   // rows of a task; all query heads of a key head go together

struct Range {
    int begin, end;  // positions
};

Range seen(const AttentionArgs& a, int row) {
    const int position = a.first_position + (a.causal ? row : 0);
    const int begin = a.window == 0 ? 0 : std::max(0, position - (a.window - 1));
    return {begin, a.causal ? position + 1 : a.first_position + a.q.rows};
}

// `count` elements of type f16 or f32 as floats.
void load(const std::byte* from, bool half, int count, float* out) {
    if (!half) {
        std::memcpy(out, from, static_cast<size_t>(count) * sizeof(float));
        return;
    }
    const auto* halves = reinterpret_cast<const uint16_t*>(from);
    for (int i = 0; i < count; ++i) out[i] = half_to_float(halves[i]);
}

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

// Working memory of one thread.
struct Tile {
    float *keys, *values;  // [key_tile, head_dim]
    float* scores;         // [key_tile]
    float* sums;           // [row_tile * group, head_dim], values weighted by e^(score - max)
    float *max, *total;    // [row_tile * group]

    static size_t floats(int head_dim, int queries) {
        const auto d = static_cast<size_t>(head_dim), m = static_cast<size_t>(queries);
        return 2 * key_tile * d + key_tile + m * d + 2 * m;
    }

    Tile(float* memory, int head_dim, int queries)
        : keys(memory),
          values(keys + key_tile * head_dim),
          scores(values + key_tile * head_dim),
          sums(scores + key_tile),
          max(sums + queries * head_dim),
          total(max + queries) {}
};

// One query over keys [begin, end) of the tile.
void add_keys(const float* q, Tile& t, int query, int begin, int end, int d) {
    float highest = t.max[query];
    for (int k = begin; k < end; ++k) {
        t.scores[k] = dot(q, t.keys + k * d, d);
        highest = std::max(highest, t.scores[k]);
    }
    float* sums = t.sums + query * d;
    if (highest > t.max[query]) {
        const float shrink = exp_f(t.max[query] - highest);  // nothing before: e^-87 of zero
        t.total[query] *= shrink;
        for (int i = 0; i < d; ++i) sums[i] *= shrink;
        t.max[query] = highest;
    }
    for (int k = begin; k < end; ++k) {
        const float weight = exp_f(t.scores[k] - highest);
        t.total[query] += weight;
        const float* value = t.values + k * d;
        for (int i = 0; i < d; ++i) sums[i] += weight * value[i];
    }
}

void rows_of_head(const AttentionArgs& a, int kv_head, int first_row, int end_row, Tile& t) {
    const int d = a.kv.head_dim, group = a.q.width / d / a.kv.kv_heads;
    const int queries = (end_row - first_row) * group;
    std::fill_n(t.max, queries, -std::numeric_limits<float>::infinity());
    std::fill_n(t.total, queries, 0.0f);
    std::fill_n(t.sums, queries * d, 0.0f);
    const int begin = seen(a, first_row).begin, end = seen(a, end_row - 1).end;
    for (int tile = begin; tile < end; tile += key_tile) {
        const int tile_end = std::min(tile + key_tile, end);
        for (int position = tile; position < tile_end; ++position) {
            const size_t at = slot_offset(a.kv, kv_head, position);
            load(a.kv.keys + at, a.kv.half, d, t.keys + (position - tile) * d);
            load(a.kv.values + at, a.kv.half, d, t.values + (position - tile) * d);
        }
        for (int row = first_row; row < end_row; ++row) {
            const Range range = seen(a, row);
            const int from = std::max(range.begin, tile) - tile;
            const int to = std::min(range.end, tile_end) - tile;
            if (from >= to) continue;
            for (int g = 0; g < group; ++g) {
                const float* q = a.q.row(row) + (kv_head * group + g) * d;
                add_keys(q, t, (row - first_row) * group + g, from, to, d);
            }
        }
    }
    for (int row = first_row; row < end_row; ++row)
        for (int g = 0; g < group; ++g) {
            const int query = (row - first_row) * group + g;
            const float factor = 1.0f / t.total[query];
            float* out = a.out.row(row) + (kv_head * group + g) * d;
            for (int i = 0; i < d; ++i) out[i] = t.sums[query * d + i] * factor;
        }
}

}  // namespace

void attention(const Context& context, const AttentionArgs& a) {
    Arena::Scope scope(context.scratch);
    const int d = a.kv.head_dim, queries = row_tile * (a.q.width / d / a.kv.kv_heads);
    const size_t floats = Tile::floats(d, queries);
    float* memory =
        context.scratch.take<float>(floats * static_cast<size_t>(context.threads.count()));
    const int tiles = (a.q.rows + row_tile - 1) / row_tile;
    context.threads.run(tiles * a.kv.kv_heads, [&](int task, int worker) {
        Tile tile(memory + floats * static_cast<size_t>(worker), d, queries);
        const int first = task / a.kv.kv_heads * row_tile;
        rows_of_head(a, task % a.kv.kv_heads, first, std::min(first + row_tile, a.q.rows), tile);
    });
}

void store(const Context& context, const StoreArgs& a) {
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
