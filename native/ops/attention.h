// Attention of a pass's rows over the keys and values of one layer (MODEL.md 1.4, 2.4).
//   out[r, h] = Σ_k softmax_k(q[r, h] · key[k]) · value[k]         scale 1, no cap, softmax in f32
// Row r stands at position first_position + r. It sees, all positions being those of the
// conversation,
//   causal:  (p - window, p]                       p its own position
//   else:    [first_position - (window - 1), first_position + rows)   the same keys for all rows
// window 0: everything before.
#pragma once

#include "ops/dispatch.h"

namespace sfumato {

// Keys and values of one layer; position p lies in slot p % capacity.
struct KeyValues {
    std::byte* keys = nullptr;    // [kv_heads, capacity, head_dim]
    std::byte* values = nullptr;  // likewise
    bool half = false;            // elements are f16, else f32
    int kv_heads = 0;
    int capacity = 0;
    int head_dim = 0;
};

struct AttentionArgs {
    View<const float> q;  // [rows, heads * head_dim]
    KeyValues kv;         // holds the pass's own rows already
    int first_position;
    bool causal;
    int window;
    View<float> out;  // [rows, heads * head_dim]
};

// Writes rows of keys and values at positions first_position … of the layer.
struct StoreArgs {
    View<const float> keys;    // [rows, kv_heads * head_dim]
    View<const float> values;  // likewise
    KeyValues kv;
    int first_position;
};

namespace ops {
void attention(const Context&, const AttentionArgs&);
void store(const Context&, const StoreArgs&);
}  // namespace ops
namespace cpu {
void attention(const Context&, const AttentionArgs&);
void store(const Context&, const StoreArgs&);
}  // namespace cpu
namespace cuda {
void attention(const Context&, const AttentionArgs&);
void store(const Context&, const StoreArgs&);
}  // namespace cuda

}  // namespace sfumato
