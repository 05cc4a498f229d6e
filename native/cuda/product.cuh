// Products of activations with packed matrices; linear, mlp, moe and logits are made of them.
#pragma once

#include "cuda/matrix.cuh"

namespace sfumato::cuda {

// Rows of activations as products read them: 8-bit numbers in groups of 32, x ≈ scale · q, filled
// up with zeros to whole chunks.
struct Activations {
    View<const float> x;            // for matrices of floats; may be absent
    const int8_t* q = nullptr;      // [rows, chunks * 64]
    const float2* worth = nullptr;  // [rows, chunks * 2]: scale, scale · Σ q
    int chunks = 0;
};

inline int chunks_of(int inputs) { return (inputs + chunk_inputs - 1) / chunk_inputs; }

// In scratch memory. `codes`: whether a matrix with codes will be met.
Activations activations(const Context& context, View<const float> x, bool codes);
Activations take_activations(const Context& context, int rows, int inputs);

// Rows of a product that meet the same matrix, at most `item_rows` of them.
inline constexpr int item_rows = 32;
struct Item {
    int matrix, first, count;
};
struct Items {
    const Item* list = nullptr;  // in device memory; absent: all rows meet matrix 0
    const int* count = nullptr;  // of them
    int most = 0;                // that there can be
};

// out[p] = W_matrix · x[rows[p]] for every position p of the items.   rows: nullptr for p itself
struct ProductArgs {
    DType type;
    Weights w;
    const Activations& x;
    const int32_t* rows = nullptr;
    Items items = {};
    View<float> out;  // [positions, outputs]
};
void product(const Context& context, const ProductArgs& args);

// out[p] = gelu(gate · x[rows[p]]) ⊙ (up · x[rows[p]]), as activations for the next product.
struct GateUpArgs {
    DType gate_type, up_type;
    Weights gate, up;
    const Activations& x;
    const int32_t* rows = nullptr;
    Items items = {};
    int positions;
    bool codes;  // whether the next matrix has codes
};
Activations gate_up(const Context& context, const GateUpArgs& args);

}  // namespace sfumato::cuda
