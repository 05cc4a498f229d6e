// What is written once for every instruction set and chosen when the program starts.
//
// kernels_<isa>.cpp defines `Vec`, the vocabulary of its instruction set, and includes the
// *_kernel.h files, which are written in that vocabulary.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/dtype.h"

namespace sfumato::cpu {

struct Rows;
enum class Weights;

// One panel, as gemm_panel has it.
struct GemmArgs {
    const uint8_t* panel;
    const Rows& x;
    const int32_t* rows;
    int count;
    float* out;
    int out_stride;
    int outputs;
    Weights weights;
    const uint8_t* next;  // panel; may be null
};

// What is known of a row after some of its logits, side by side for sixteen classes of tokens. Sums
// are relative to e^reference, which stays within reach of the largest z.
struct alignas(64) LogitLanes {
    float max[16];
    int32_t argmax[16];
    float total[16];     // Σ e^(z - reference)
    float weighted[16];  // Σ e^(z - reference) (z - reference)
    float reference;
};

struct LogitsPanel {
    float* z;  // [rows, 32], products in, z = factor · tanh(product · inverse_cap) out
    int rows;
    int width;  // tokens of the panel, at most 32
    int32_t first_token;
    float inverse_cap;
    float factor;
    const float* threshold;  // [rows]; may be null
    uint32_t* wanted;        // [rows], a bit for each z ≥ threshold; may be null
};

// Rows of queries of all heads that share a key head, over that head's keys and values.
struct AttentionTask {
    const float* q;  // row 0, first of the heads
    float* out;      // likewise
    int stride;      // floats from row to row
    int rows;        // of the whole pass
    int first_row, end_row;
    int heads;  // that share the keys
    int head_dim;
    const std::byte* keys;    // [capacity, head_dim], position p in slot p % capacity
    const std::byte* values;  // likewise
    bool half;                // elements are f16, else f32
    int capacity;
    int first_position;
    bool causal;
    int window;
    float* memory;  // attention_floats(…)
};

// Working memory of an AttentionTask with `queries` = rows · heads.
size_t attention_floats(int head_dim, int queries);

struct Kernels {
    void (*gemm)(DType, const GemmArgs&);
    void (*quantize)(
        const float* x, int begin, int end, int inputs, int8_t* q, float* scale, float* sum);
    // Output `o` of a packed panel as floats.
    void (*unpack)(DType, const uint8_t* panel, int inputs, int o, float* out);
    // out[i, o] = x[i] · w[o]; x [rows, n], w [outputs, n], out [rows, outputs]
    void (*float_product)(const float* x, int rows, const float* w, int outputs, int n, float* out);
    // out += Σ weights[k] · rows[k]; rows [count][n]
    void (*add_weighted)(
        const float* const* rows, const float* weights, int count, int n, float* out);
    // out = gelu(gate) ⊙ up; may be in place
    void (*geglu)(const float* gate, const float* up, int count, float* out);
    void (*add_logits)(const LogitsPanel&, LogitLanes*);
    void (*attention)(const AttentionTask&);
    // Dot products of 4-bit codes from the first cache, nothing else; returns how many
    // multiply-adds.
    //   memory: [4096] bytes of zeros
    int64_t (*dot_products)(const uint8_t* memory, int rounds);
};

extern const Kernels portable_kernels, avx2_kernels, avxvnni_kernels, avx512vnni_kernels;

// What AMX does in another way than AVX-512 VNNI.
void gemm_tiles(DType, const GemmArgs&);
int64_t dot_product_tiles(const uint8_t* memory, int rounds);

const Kernels& kernels();

}  // namespace sfumato::cpu
