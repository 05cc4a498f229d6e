// The head, and all that a step needs from the logits, without ever holding [rows, vocab] of them
// (MODEL.md 2.9, 3.1).
//   logit = softcap · tanh(E · hidden / softcap)       z = logit / temperature       p = softmax(z)
#pragma once

#include <span>

#include "ops/embed.h"

namespace sfumato {

// The likeliest tokens of each row, in the order of their ids: all with p ≥ smallest_p, at most
// `most`.
struct Kept {
    static constexpr int most = 256;
    static constexpr float smallest_p = 1e-4f;
    static constexpr float least_mass = 0.5f;  // of a row's kept tokens (ops/self_condition.h)

    View<int32_t> token;  // [rows, most]
    View<float> p;        // [rows, most]
    int32_t* count;       // [rows]
};

struct LogitsArgs {
    View<const float> hidden;  // [rows, hidden], after the final norm
    const Embedding& embedding;
    float softcap;
    const float& temperature;  // above 0; the device's, read when the operation runs
    const float* uniform;      // [rows], draws in [0, 1)
    // Outcomes, [rows] each:
    int32_t* argmax;       // the lower id where two are equal
    int32_t* sampled;      // the first token whose cumulative probability is above the draw
    float* entropy;        // of p, in nats
    float* log_total;      // ln Σ e^z
    Kept* kept = nullptr;  // optional
};

// Soft-capped logits themselves; tests only.
struct FullLogitsArgs {
    View<const float> hidden;  // [rows, hidden]
    const Embedding& embedding;
    float softcap;
    View<float> out;  // [rows, vocab]
};

namespace ops {
void logits(const Context&, const LogitsArgs&);
void full_logits(const Context&, const FullLogitsArgs&);
}  // namespace ops
namespace cpu {
void logits(const Context&, const LogitsArgs&);
void full_logits(const Context&, const FullLogitsArgs&);
}  // namespace cpu
namespace cuda {
void logits(const Context&, const LogitsArgs&);
void full_logits(const Context&, const FullLogitsArgs&);
}  // namespace cuda

}  // namespace sfumato
