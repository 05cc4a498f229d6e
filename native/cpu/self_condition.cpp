#include "ops/self_condition.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "core/op_times.h"
#include "cpu/kernels.h"
#include "cpu/vector_math.h"
#include "ops/rms_norm.h"

namespace sfumato::cpu {
namespace {

void add_row(float* out, const float* row, float factor, int width) {
    for (int i = 0; i < width; ++i) out[i] += factor * row[i];
}

void scaled_row(const Embedding& embedding, int32_t token, float scale, float* out) {
    embedding.row(token, out);
    for (int i = 0; i < embedding.hidden; ++i) out[i] *= scale;
}

constexpr int batch_tokens = 512, rows_at_once = 16;

// What a token that is not among the kept ones gets of p.
float share_of_others(const SoftEmbeddingArgs& a, int row) {
    double left = 1.0;
    for (int i = 0; i < a.kept.count[row]; ++i) left -= a.kept.p.row(row)[i];
    const int others = a.embedding.vocab - a.kept.count[row];
    return others == 0 ? 0.0f : static_cast<float>(std::max(left, 0.0) / others);
}

// The kept tokens of all rows, each once, in their order.
std::span<const int32_t> tokens_of(Arena& scratch, const SoftEmbeddingArgs& a) {
    const auto words = static_cast<size_t>(a.embedding.vocab) / 64 + 1;
    auto* seen = scratch.take<uint64_t>(words);
    std::fill_n(seen, words, uint64_t{0});
    size_t most = 0;
    for (int r = 0; r < a.out.rows; ++r) {
        most += static_cast<size_t>(a.kept.count[r]);
        for (int i = 0; i < a.kept.count[r]; ++i) {
            const auto token = static_cast<size_t>(a.kept.token.row(r)[i]);
            seen[token / 64] |= uint64_t{1} << (token % 64);
        }
    }
    auto* tokens = scratch.take<int32_t>(most);
    size_t count = 0;
    for (size_t word = 0; word < words; ++word)
        for (uint64_t bits = seen[word]; bits != 0; bits &= bits - 1)
            tokens[count++] = static_cast<int32_t>(word * 64) + std::countr_zero(bits);
    return {tokens, count};
}

}  // namespace

// Rows share many of their tokens: each is de-quantised once for all, a batch at a time.
void soft_embedding(const Context& context, const SoftEmbeddingArgs& a) {
    const OpTimer timer("self_condition");
    Arena::Scope scope(context.scratch);
    const int hidden = a.out.width, rows = a.out.rows;
    const std::span<const int32_t> tokens = tokens_of(context.scratch, a);
    const View<float> batch = context.scratch.take<float>(batch_tokens, hidden);
    float* even = context.scratch.take<float>(static_cast<size_t>(rows));
    auto* next =
        context.scratch.take<int32_t>(static_cast<size_t>(rows));  // kept token of each row
    context.threads.run_range(rows, 8, [&](int begin, int end, int) {
        for (int r = begin; r < end; ++r) {
            even[r] = share_of_others(a, r);
            next[r] = 0;
            for (int i = 0; i < hidden; ++i) a.out.row(r)[i] = even[r] * a.sum[i];
        }
    });
    for (size_t first = 0; first < tokens.size(); first += batch_tokens) {
        const auto here =
            tokens.subspan(first, std::min<size_t>(batch_tokens, tokens.size() - first));
        context.threads.run_range(static_cast<int>(here.size()), 4, [&](int begin, int end, int) {
            for (int i = begin; i < end; ++i)
                a.embedding.row(here[static_cast<size_t>(i)], batch.row(i));
        });
        context.threads.run_range(rows, 4, [&](int begin, int end, int) {
            for (int r = begin; r < end; ++r) {
                const int32_t* kept = a.kept.token.row(r);
                const float* from[rows_at_once];
                float weights[rows_at_once];
                int count = 0;
                const auto add = [&] {
                    kernels().add_weighted(from, weights, count, hidden, a.out.row(r));
                    count = 0;
                };
                auto at = here.begin();
                for (int32_t& k = next[r]; k < a.kept.count[r] && kept[k] <= here.back(); ++k) {
                    at = std::lower_bound(at, here.end(), kept[k]);
                    from[count] = batch.row(static_cast<int>(at - here.begin()));
                    weights[count++] = a.kept.p.row(r)[k] - even[r];
                    if (count == rows_at_once) add();
                }
                add();
            }
        });
    }
    context.threads.run_range(rows, 8, [&](int begin, int end, int) {
        for (int r = begin; r < end; ++r) {
            const int32_t pinned = a.pinned[static_cast<size_t>(r)];
            if (pinned >= 0)
                scaled_row(a.embedding, pinned, a.scale, a.out.row(r));
            else
                for (int i = 0; i < hidden; ++i) a.out.row(r)[i] *= a.scale;
        }
    });
}

void dense_soft_embedding(const Context& context, const DenseSoftEmbeddingArgs& a) {
    Arena::Scope scope(context.scratch);
    const int hidden = a.out.width;
    const View<float> rows = context.scratch.take<float>(2 * context.threads.count(), hidden);
    // Each task de-quantises all of E, so there are no more of them than threads.
    const int grain = (a.out.rows + context.threads.count() - 1) / context.threads.count();
    context.threads.run_range(a.out.rows, grain, [&](int begin, int end, int worker) {
        float *h = rows.row(2 * worker), *e = rows.row(2 * worker + 1);
        for (int r = begin; r < end; ++r) std::fill_n(a.out.row(r), hidden, 0.0f);
        for (int32_t token = 0; token < a.embedding.vocab; ++token) {
            a.head.row(token, h);
            a.embedding.row(token, e);
            for (int r = begin; r < end; ++r) {
                const float logit =
                    a.logits.data != nullptr
                        ? a.logits.row(r)[token]
                        : a.softcap * std::tanh(dot(a.hidden.row(r), h, hidden) / a.softcap);
                const float z = logit / a.temperature;
                add_row(a.out.row(r), e, std::exp(z - a.log_total[r]) * a.scale, hidden);
            }
        }
        for (int r = begin; r < end; ++r) {
            const int32_t pinned = a.pinned[static_cast<size_t>(r)];
            if (pinned >= 0) scaled_row(a.embedding, pinned, a.scale, a.out.row(r));
        }
    });
}

void embedding_sum(const Context& context, const EmbeddingSumArgs& a) {
    Arena::Scope scope(context.scratch);
    const int hidden = a.embedding.hidden, slabs = static_cast<int>(a.embedding.slabs.size());
    const View<float> rows = context.scratch.take<float>(context.threads.count(), hidden);
    const View<float> sums = context.scratch.take<float>(slabs, hidden);
    context.threads.run(slabs, [&](int slab, int worker) {
        const Matrix& w = a.embedding.slabs[static_cast<size_t>(slab)];
        std::fill_n(sums.row(slab), hidden, 0.0f);
        for (int row = 0; row < w.outputs; ++row) {
            unpack_row(w, row, rows.row(worker));
            add_row(sums.row(slab), rows.row(worker), 1.0f, hidden);
        }
    });
    std::fill_n(a.out, hidden, 0.0f);
    for (int slab = 0; slab < slabs; ++slab) add_row(a.out, sums.row(slab), 1.0f, hidden);
}

void self_condition(const Context& context, const SelfConditionArgs& a) {
    Arena::Scope scope(context.scratch);
    const View<float> normed = context.scratch.take<float>(a.soft.rows, a.soft.width);
    rms_norm(context, {.x = a.soft, .weight = a.norm, .eps = a.eps, .out = normed});
    mlp(context, {.x = normed, .gate = a.gate, .up = a.up, .down = a.down, .out = a.out});
}

}  // namespace sfumato::cpu
