// Attention of some queries over the keys of one head, tile by tile with online softmax.
#pragma once

#include "cpu/kernels.h"
#include "cpu/vector_kernel.h"

namespace sfumato::cpu {
namespace {

constexpr int key_tile = 32;

// Working memory; rows are padded with zeros to `width`, a multiple of 16.
struct AttentionMemory {
    int width;
    float *keys, *values;         // [key_tile, width]
    float* q;                     // [queries, width]
    float* sums;                  // [queries, width], values weighted by e^(score - max)
    float* scores;                // [queries, key_tile]
    float *max, *total, *shrink;  // [queries]

    AttentionMemory(float* memory, int head_dim, int queries)
        : width((head_dim + 15) / 16 * 16),
          keys(memory),
          values(keys + key_tile * width),
          q(values + key_tile * width),
          sums(q + queries * width),
          scores(sums + queries * width),
          max(scores + queries * key_tile),
          total(max + queries),
          shrink(total + queries) {}
};

inline void load_row(const std::byte* from, bool half, int count, int width, float* out) {
    int i = 0;
    if (half) {
        const auto* halves = reinterpret_cast<const uint16_t*>(from);
        for (; i + Vec::lanes <= count; i += Vec::lanes)
            Vec::storef(out + i, Vec::load_halves(halves + i));
        uint16_t last[Vec::lanes] = {};
        if (i < count) {
            std::memcpy(last, halves + i, static_cast<size_t>(count - i) * sizeof(uint16_t));
            Vec::storef(out + i, Vec::load_halves(last));
            i += Vec::lanes;
        }
    } else {
        std::memcpy(out, from, static_cast<size_t>(count) * sizeof(float));
        i = count;
    }
    for (; i < width; ++i) out[i] = 0.0f;
}

// Scores of one query to weights; keys outside [from, to) of the tile count nothing.
inline void weigh(float* scores, int from, int to, float& max, float& total, float& shrink) {
    shrink = 1.0f;
    if (from >= to) return static_cast<void>(std::memset(scores, 0, key_tile * sizeof(float)));
    for (int k = 0; k < from; ++k) scores[k] = -1e30f;
    for (int k = to; k < key_tile; ++k) scores[k] = -1e30f;
    Floats highest = fill(-1e30f);
    for (int k = 0; k < key_tile; k += Vec::lanes)
        highest = Vec::max(highest, Vec::loadf(scores + k));
    const float top = Vec::largest(highest);
    if (top > max) {
        float lanes[Vec::lanes];
        Vec::storef(lanes, exp(fill(max - top)));
        shrink = lanes[0];
        max = top;
    }
    Floats sum = fill(0.0f);
    for (int k = 0; k < key_tile; k += Vec::lanes) {
        const Floats e = exp(Vec::sub(Vec::loadf(scores + k), fill(max)));
        Vec::storef(scores + k, e);
        sum = Vec::add(sum, e);
    }
    for (int k = 0; k < from; ++k) scores[k] = 0.0f;
    for (int k = to; k < key_tile; ++k) scores[k] = 0.0f;
    total = total * shrink + Vec::sum(sum);
}

// sums[q] = shrink[q] · sums[q] + Σ_k weight[q, k] · value[k] for Q queries.
template <int Q>
void add_values(const AttentionMemory& m, int query, int keys) {
    constexpr int N = Vec::dot_outputs;
    const float* weights = m.scores + query * key_tile;
    float* sums = m.sums + query * m.width;
    for (int d = 0; d < m.width;) {
        const int vectors = (m.width - d) / Vec::lanes;
        const auto run = [&](auto count) {
            Floats s[Q][count()];
            for (int i = 0; i < Q; ++i)
                for (int n = 0; n < count(); ++n)
                    s[i][n] = Vec::mul(fill(m.shrink[query + i]),
                                       Vec::loadf(sums + i * m.width + d + n * Vec::lanes));
            for (int k = 0; k < keys; ++k) {
                Floats v[count()];
                for (int n = 0; n < count(); ++n)
                    v[n] = Vec::loadf(m.values + k * m.width + d + n * Vec::lanes);
                for (int i = 0; i < Q; ++i) {
                    const Floats w = Vec::broadcastf(weights + i * key_tile + k);
                    for (int n = 0; n < count(); ++n) s[i][n] = Vec::fma(w, v[n], s[i][n]);
                }
            }
            for (int i = 0; i < Q; ++i)
                for (int n = 0; n < count(); ++n)
                    Vec::storef(sums + i * m.width + d + n * Vec::lanes, s[i][n]);
            d += count() * Vec::lanes;
        };
        if (vectors >= N)
            run(std::integral_constant<int, N>{});
        else
            run(std::integral_constant<int, 1>{});
    }
}

void attention(const AttentionTask& a) {
    const int rows = a.end_row - a.first_row, queries = rows * a.heads, d = a.head_dim;
    const AttentionMemory m(a.memory, d, queries);
    // Keys that row r sees: [begin, end), not falling with r.
    const auto seen_from = [&](int row) {
        const int position = a.first_position + (a.causal ? row : 0);
        return a.window == 0 || position < a.window ? 0 : position - (a.window - 1);
    };
    const auto seen_to = [&](int row) { return a.first_position + (a.causal ? row + 1 : a.rows); };
    for (int i = 0; i < queries; ++i) {
        const float* q =
            a.q + static_cast<ptrdiff_t>(a.first_row + i / a.heads) * a.stride + i % a.heads * d;
        load_row(reinterpret_cast<const std::byte*>(q), false, d, m.width, m.q + i * m.width);
        m.max[i] = -1e30f;
        m.total[i] = 0.0f;
    }
    std::memset(m.sums, 0, sizeof(float) * static_cast<size_t>(queries * m.width));
    const int begin = seen_from(a.first_row), end = seen_to(a.end_row - 1);
    // Tiles begin at multiples of their size, whichever rows came together in this pass, so that a
    // row's sums are taken in the same order in any chunking of the prompt.
    for (int tile = begin / key_tile * key_tile; tile < end; tile += key_tile) {
        const int keys = tile + key_tile < end ? key_tile : end - tile;
        for (int k = 0; k < keys; ++k) {
            if (tile + k < begin) {  // its slot may hold another position by now
                std::memset(m.keys + k * m.width, 0, sizeof(float) * static_cast<size_t>(m.width));
                std::memset(
                    m.values + k * m.width, 0, sizeof(float) * static_cast<size_t>(m.width));
                continue;
            }
            const ptrdiff_t at =
                static_cast<ptrdiff_t>((tile + k) % a.capacity) * d * (a.half ? 2 : 4);
            load_row(a.keys + at, a.half, d, m.width, m.keys + k * m.width);
            load_row(a.values + at, a.half, d, m.width, m.values + k * m.width);
        }
        dot_rows(m.q, queries, m.width, m.keys, keys, m.width, m.width, m.scores, key_tile);
        for (int i = 0; i < queries; ++i) {
            const int row = a.first_row + i / a.heads;
            const int from = seen_from(row) - tile, to = seen_to(row) - tile;
            weigh(m.scores + i * key_tile,
                  from < 0      ? 0
                  : from > keys ? keys
                                : from,
                  to < 0      ? 0
                  : to > keys ? keys
                              : to,
                  m.max[i],
                  m.total[i],
                  m.shrink[i]);
        }
        int i = 0;
        for (; i + 4 <= queries; i += 4) add_values<4>(m, i, keys);
        for (; i < queries; ++i) add_values<1>(m, i, keys);
    }
    for (int i = 0; i < queries; ++i) {
        float* out =
            a.out + static_cast<ptrdiff_t>(a.first_row + i / a.heads) * a.stride + i % a.heads * d;
        for (int k = 0; k < d; ++k) out[k] = m.sums[i * m.width + k] / m.total[i];
    }
}

}  // namespace
}  // namespace sfumato::cpu
