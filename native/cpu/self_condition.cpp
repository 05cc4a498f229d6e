#include "ops/self_condition.h"

#include <algorithm>
#include <cmath>

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

}  // namespace

void soft_embedding(const Context& context, const SoftEmbeddingArgs& a) {
    Arena::Scope scope(context.scratch);
    const int hidden = a.out.width;
    const View<float> rows = context.scratch.take<float>(context.threads.count(), hidden);
    context.threads.run(a.out.rows, [&](int r, int worker) {
        float* out = a.out.row(r);
        const int32_t pinned = a.pinned[static_cast<size_t>(r)];
        if (pinned >= 0) return scaled_row(a.embedding, pinned, a.scale, out);
        const int count = a.kept.count[r];
        const float* p = a.kept.p.row(r);
        double left = 1.0;
        for (int i = 0; i < count; ++i) left -= p[i];
        const int others = a.embedding.vocab - count;
        const float even = others == 0 ? 0.0f : static_cast<float>(std::max(left, 0.0) / others);
        for (int i = 0; i < hidden; ++i) out[i] = even * a.sum[i];
        for (int k = 0; k < count; ++k) {
            a.embedding.row(a.kept.token.row(r)[k], rows.row(worker));
            add_row(out, rows.row(worker), p[k] - even, hidden);
        }
        for (int i = 0; i < hidden; ++i) out[i] *= a.scale;
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
