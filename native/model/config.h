// The shape of the network, as app/sfumato/engine/config.py reads it from a model file.
#pragma once

#include <cstddef>
#include <vector>

namespace sfumato {

struct ModelConfig {
    int layers = 0;
    int hidden = 0;
    int dense_ffn = 0;
    int expert_ffn = 0;
    int experts = 0;
    int experts_used = 0;
    int heads = 0;
    std::vector<int> kv_heads;  // [layers]
    int head_dim_full = 0;
    int head_dim_sliding = 0;
    std::vector<bool> sliding;  // [layers]
    int window = 0;
    float rope_base_full = 0;
    float rope_base_sliding = 0;
    float rms_eps = 0;
    float softcap = 0;
    int vocab = 0;
    int canvas = 0;
    int context_length = 0;

    bool is_sliding(int layer) const { return sliding[static_cast<size_t>(layer)]; }
    int head_dim(int layer) const { return is_sliding(layer) ? head_dim_sliding : head_dim_full; }
    int key_heads(int layer) const { return kv_heads[static_cast<size_t>(layer)]; }
    int window_of(int layer) const { return is_sliding(layer) ? window : 0; }

    // Throws Error where the numbers cannot describe a network.
    void check_shape() const;
};

}  // namespace sfumato
