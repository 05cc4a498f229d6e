// Self-conditioning: what the last step believed goes into the next one (MODEL.md 2.8).
//   soft = (p · E) · scale                              p: probabilities of the last step
//   out  = down · ( gelu(gate · n) ⊙ (up · n) )         n = rms(soft; norm)
#pragma once

#include <span>

#include "ops/logits.h"
#include "ops/mlp.h"

namespace sfumato {

// Kept tokens at their p, what is left of 1 spread evenly over all others. A row whose kept tokens
// hold less than Kept::least_mass is too flat for that: a GPU takes all of its p, computed once
// more. The CPU does not: two more products with all of the vocabulary would be most of its step.
struct SoftEmbeddingArgs {
    const Kept& kept;
    View<const float> hidden;  // as for logits: head, softcap and temperature too
    const Embedding& head;
    const Embedding& embedding;
    float softcap;
    const float& temperature;         // read when the operation runs
    const float* log_total;           // [rows], of LogitsArgs
    const float* sum;                 // [hidden], Σ_v E_v
    std::span<const int32_t> pinned;  // [rows]: a token that is certain, or -1
    float scale;
    View<float> out;  // [rows, hidden]
};

// The same from all of p for every row. Reference mode.
struct DenseSoftEmbeddingArgs {
    View<const float> hidden;  // as for logits: head, softcap and temperature too
    const Embedding& head;
    const Embedding& embedding;
    float softcap;
    float temperature;
    const float* log_total;           // [rows], of LogitsArgs
    View<const float> logits = {};    // [rows, vocab], if known already; tests only
    std::span<const int32_t> pinned;  // [rows]
    float scale;
    View<float> out;  // [rows, hidden]
};

// Σ_v E_v, once for a model.
struct EmbeddingSumArgs {
    const Embedding& embedding;
    float* out;  // [hidden]
};

struct SelfConditionArgs {
    View<const float> soft;  // [rows, hidden]
    const float* norm;       // [hidden]
    float eps;
    const Matrix& gate;  // [ffn, hidden]
    const Matrix& up;    // [ffn, hidden]
    const Matrix& down;  // [hidden, ffn]
    View<float> out;     // [rows, hidden]
};

namespace ops {
void soft_embedding(const Context&, const SoftEmbeddingArgs&);
void dense_soft_embedding(const Context&, const DenseSoftEmbeddingArgs&);
void embedding_sum(const Context&, const EmbeddingSumArgs&);
void self_condition(const Context&, const SelfConditionArgs&);
}  // namespace ops
namespace cpu {
void soft_embedding(const Context&, const SoftEmbeddingArgs&);
void dense_soft_embedding(const Context&, const DenseSoftEmbeddingArgs&);
void embedding_sum(const Context&, const EmbeddingSumArgs&);
void self_condition(const Context&, const SelfConditionArgs&);
}  // namespace cpu
namespace cuda {
void soft_embedding(const Context&, const SoftEmbeddingArgs&);
void dense_soft_embedding(const Context&, const DenseSoftEmbeddingArgs&);
void embedding_sum(const Context&, const EmbeddingSumArgs&);
void self_condition(const Context&, const SelfConditionArgs&);
}  // namespace cuda

}  // namespace sfumato
