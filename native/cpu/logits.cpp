#include "ops/logits.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/op_times.h"
#include "cpu/kept.h"
#include "cpu/kernels.h"
#include "ops/linear.h"

namespace sfumato::cpu {
namespace {

constexpr float nothing = -std::numeric_limits<float>::infinity();

// What is known of a row after a slab of the vocabulary: sums are relative to e^max.
struct Partial {
    float max = nothing;
    float total = 0.0f;     // Σ e^(z - max)
    float weighted = 0.0f;  // Σ e^(z - max) (z - max)
    int32_t argmax = 0;
};

constexpr LogitLanes no_logits = [] {
    LogitLanes lanes{};
    for (float& max : lanes.max) max = nothing;
    lanes.reference = -1e30f;
    return lanes;
}();

Partial sum_of(const LogitLanes& lanes) {
    Partial p;
    for (int i = 0; i < 16; ++i) {
        const bool higher = lanes.max[i] > p.max;
        if (higher || (lanes.max[i] == p.max && lanes.argmax[i] < p.argmax))
            p.argmax = lanes.argmax[i];
        if (higher) p.max = lanes.max[i];
    }
    double total = 0.0, weighted = 0.0;
    for (int i = 0; i < 16; ++i) {
        total += static_cast<double>(lanes.total[i]);
        weighted += static_cast<double>(lanes.weighted[i]);
    }
    const double gap = static_cast<double>(lanes.reference) - static_cast<double>(p.max);
    const double grow = std::exp(gap);
    p.total = static_cast<float>(total * grow);
    p.weighted = static_cast<float>((weighted + gap * total) * grow);
    return p;
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
          lanes_(context.scratch.take<LogitLanes>(context.threads.count(), rows_.rows)),
          thresholds_(context.scratch.take<float>(context.threads.count(), rows_.rows)),
          wanted_(context.scratch.take<uint32_t>(context.threads.count(), rows_.rows)),
          candidates_(context.scratch, args.kept == nullptr ? 0 : rows_.rows) {}

    // All rows over one slab of the vocabulary.
    void read_slab(int slab, int worker) {
        const Matrix& w = a_.embedding.slabs[static_cast<size_t>(slab)];
        const int rows = rows_.rows;
        const bool keep = a_.kept != nullptr;
        LogitLanes* lanes = lanes_.row(worker);
        std::fill_n(lanes, rows, no_logits);
        LogitsPanel p = panel_of(worker, rows);
        for (int panel = 0; panel < w.panels(); ++panel) {
            gemm_panel(w, panel, rows_, nullptr, rows, p.z, panel_outputs, Weights::rounded);
            p.width = panel_width(w, panel);
            p.first_token = slab * Embedding::slab_rows + panel * panel_outputs;
            // Those of an earlier moment: another thread may have raised one, offer() looks again.
            for (int r = 0; keep && r < rows; ++r)
                thresholds_.row(worker)[r] = candidates_.threshold(r);
            p.threshold = keep ? thresholds_.row(worker) : nullptr;
            p.wanted = keep ? wanted_.row(worker) : nullptr;
            kernels().add_logits(p, lanes);
            for (int r = 0; keep && r < rows; ++r)
                if (p.wanted[r] != 0)
                    candidates_.offer(r, p.z + r * panel_outputs, p.wanted[r], p.first_token);
        }
        for (int r = 0; r < rows; ++r) partials_.row(slab)[r] = sum_of(lanes[r]);
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
    LogitsPanel panel_of(int worker, int rows) const {
        return {.z = panels_.row(worker),
                .rows = rows,
                .width = 0,
                .first_token = 0,
                .inverse_cap = 1.0f / a_.softcap,
                .factor = a_.softcap / a_.temperature,
                .threshold = nullptr,
                .wanted = nullptr};
    }

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
        LogitsPanel p = panel_of(worker, 1);
        LogitLanes unused = no_logits;
        for (int panel = 0; panel < w.panels(); ++panel) {
            gemm_panel(w, panel, rows_, &row, 1, p.z, panel_outputs, Weights::rounded);
            p.width = panel_width(w, panel);
            p.first_token = slab * Embedding::slab_rows + panel * panel_outputs;
            kernels().add_logits(p, &unused);
            for (int i = 0; i < p.width; ++i) {
                before += std::exp(static_cast<double>(p.z[i]) - max);
                if (before > target) return p.first_token + i;
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
    View<LogitLanes> lanes_;  // [workers, rows]
    View<float> thresholds_;  // [workers, rows]
    View<uint32_t> wanted_;   // [workers, rows]
    Candidates candidates_;
};

}  // namespace

void logits(const Context& context, const LogitsArgs& a) {
    const OpTimer timer("logits");
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
            gemm_panel(w,
                       panel,
                       rows,
                       nullptr,
                       rows.rows,
                       a.out.data + first,
                       a.out.width,
                       Weights::rounded);
            for (int r = 0; r < rows.rows; ++r)
                for (int i = first; i < first + panel_width(w, panel); ++i)
                    a.out.row(r)[i] = a.softcap * std::tanh(a.out.row(r)[i] / a.softcap);
        }
    });
}

}  // namespace sfumato::cpu
