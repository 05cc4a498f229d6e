#include "ops/logits.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "cpu/kept.h"
#include "cpu/vector_math.h"
#include "ops/linear.h"

namespace sfumato::cpu {
namespace {

constexpr float nothing = -std::numeric_limits<float>::infinity();

// What is known of a row after part of its logits: sums are relative to e^max.
struct Partial {
    float max = nothing;
    float total = 0.0f;     // Σ e^(z - max)
    float weighted = 0.0f;  // Σ e^(z - max) (z - max)
    int32_t argmax = 0;
};

void add(Partial& p, const float* z, int count, int32_t first_token) {
    float highest = z[0];
    for (int i = 1; i < count; ++i) highest = z[i] > highest ? z[i] : highest;
    if (highest > p.max) {
        if (p.total > 0.0f) {
            const float gap = p.max - highest, shrink = exp_f(gap);
            p.weighted = shrink * (p.weighted + gap * p.total);
            p.total *= shrink;
        }
        p.max = highest;
        p.argmax = first_token + static_cast<int32_t>(std::find(z, z + count, highest) - z);
    }
    float total = 0.0f, weighted = 0.0f;
    for (int i = 0; i < count; ++i) {
        const float gap = z[i] - p.max, e = exp_f(gap);
        total += e;
        weighted += e * gap;
    }
    p.total += total;
    p.weighted += weighted;
}

// Products in, z out.
void scale_panel(const LogitsArgs& a, float* z, int count) {
    const float inverse_cap = 1.0f / a.softcap, factor = a.softcap / a.temperature;
    for (int i = 0; i < count; ++i) z[i] = factor * tanh_f(z[i] * inverse_cap);
}

int panel_width(const Matrix& w, int panel) {
    return std::min(panel_outputs, w.outputs - panel * panel_outputs);
}

class Head {
  public:
    Head(const Context& context, const LogitsArgs& args)
        : a_(args),
          rows_(rows_for(context, args.hidden)),
          slabs_(static_cast<int>(args.embedding.slabs.size())),
          partials_(context.scratch.take<Partial>(slabs_, rows_.rows)),
          panels_(context.scratch.take<float>(context.threads.count(), rows_.rows * panel_outputs)),
          candidates_(context.scratch, args.kept == nullptr ? 0 : rows_.rows) {}

    // All rows over one slab of the vocabulary.
    void read_slab(int slab, int worker) {
        const Matrix& w = a_.embedding.slabs[static_cast<size_t>(slab)];
        Partial* partials = partials_.row(slab);
        std::fill_n(partials, rows_.rows, Partial{});
        float* panel_z = panels_.row(worker);
        for (int panel = 0; panel < w.panels(); ++panel) {
            gemm_panel(w, panel, rows_, nullptr, rows_.rows, panel_z, panel_outputs);
            const int width = panel_width(w, panel);
            const int32_t first = slab * Embedding::slab_rows + panel * panel_outputs;
            for (int r = 0; r < rows_.rows; ++r) {
                float* z = panel_z + r * panel_outputs;
                scale_panel(a_, z, width);
                if (a_.kept != nullptr && candidates_.wants(r, *std::max_element(z, z + width)))
                    candidates_.offer(r, z, width, first);
                add(partials[r], z, width, first);
            }
        }
    }

    void finish_row(int row, int worker) {
        double max = nothing;
        for (int s = 0; s < slabs_; ++s) {
            const Partial& p = partials_.row(s)[row];
            if (static_cast<double>(p.max) > max) {
                max = p.max;
                a_.argmax[row] = p.argmax;
            }
        }
        double total = 0.0, weighted = 0.0;
        for (int s = 0; s < slabs_; ++s) {
            const Partial& p = partials_.row(s)[row];
            const double gap = p.max - max, shrink = std::exp(gap);
            total += shrink * p.total;
            weighted += shrink * (p.weighted + gap * p.total);
        }
        a_.log_total[row] = static_cast<float>(max + std::log(total));
        const double entropy = std::log(total) - weighted / total;
        a_.entropy[row] = static_cast<float>(entropy < 0.0 ? 0.0 : entropy);  // keeps a NaN
        a_.sampled[row] = sample(row, max, static_cast<double>(a_.uniform[row]) * total, worker);
        if (a_.kept != nullptr) keep(row, max + std::log(total));
    }

  private:
    // The first token whose cumulative e^(z - max) exceeds `target`: the slab is known from the
    // sums, its logits are computed once more.
    int32_t sample(int row, double max, double target, int worker) {
        double before = 0.0;
        int slab = 0;
        for (; slab + 1 < slabs_; ++slab) {
            const Partial& p = partials_.row(slab)[row];
            const double share = p.total * std::exp(p.max - max);
            if (before + share > target) break;
            before += share;
        }
        const Matrix& w = a_.embedding.slabs[static_cast<size_t>(slab)];
        float* z = panels_.row(worker);
        for (int panel = 0; panel < w.panels(); ++panel) {
            gemm_panel(w, panel, rows_, &row, 1, z, panel_outputs);
            const int width = panel_width(w, panel);
            scale_panel(a_, z, width);
            for (int i = 0; i < width; ++i) {
                before += std::exp(z[i] - max);
                if (before > target) return slab * Embedding::slab_rows + panel * panel_outputs + i;
            }
        }
        return slab * Embedding::slab_rows + w.outputs - 1;
    }

    void keep(int row, double log_total) {
        const Candidates::Candidate* best = nullptr;
        int count = candidates_.best(row, &best);
        const auto p = [&](int i) { return static_cast<float>(std::exp(best[i].z - log_total)); };
        while (count > 0 && p(count - 1) < Kept::smallest_p) --count;
        // In the order of ids, so that sums over them do not depend on how threads met.
        int32_t* token = a_.kept->token.row(row);
        float* probability = a_.kept->p.row(row);
        auto* sorted = const_cast<Candidates::Candidate*>(best);
        std::sort(
            sorted, sorted + count, [](const auto& l, const auto& r) { return l.token < r.token; });
        for (int i = 0; i < count; ++i) {
            token[i] = best[i].token;
            probability[i] = p(i);
        }
        a_.kept->count[row] = count;
    }

    const LogitsArgs& a_;
    Rows rows_;
    int slabs_;
    View<Partial> partials_;  // [slabs, rows]
    View<float> panels_;      // [workers, rows * panel_outputs]
    Candidates candidates_;
};

}  // namespace

void logits(const Context& context, const LogitsArgs& a) {
    Arena::Scope scope(context.scratch);
    Head head(context, a);
    context.threads.run(static_cast<int>(a.embedding.slabs.size()),
                        [&](int slab, int worker) { head.read_slab(slab, worker); });
    context.threads.run(a.hidden.rows, [&](int row, int worker) { head.finish_row(row, worker); });
}

void full_logits(const Context& context, const FullLogitsArgs& a) {
    Arena::Scope scope(context.scratch);
    const Rows rows = rows_for(context, a.hidden);
    context.threads.run(static_cast<int>(a.embedding.slabs.size()), [&](int slab, int) {
        const Matrix& w = a.embedding.slabs[static_cast<size_t>(slab)];
        for (int panel = 0; panel < w.panels(); ++panel) {
            const int first = slab * Embedding::slab_rows + panel * panel_outputs;
            gemm_panel(w, panel, rows, nullptr, rows.rows, a.out.data + first, a.out.width);
            for (int r = 0; r < rows.rows; ++r)
                for (int i = first; i < first + panel_width(w, panel); ++i)
                    a.out.row(r)[i] = a.softcap * std::tanh(a.out.row(r)[i] / a.softcap);
        }
    });
}

}  // namespace sfumato::cpu
