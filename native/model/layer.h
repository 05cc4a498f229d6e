// One layer of the transformer (MODEL.md 2.3, 2.4), for the encoder, for the canvas, or for both.
#pragma once

#include "model/weights.h"
#include "ops/attention.h"

namespace sfumato {

// What one pass has in common for all rows of a layer.
struct LayerArgs {
    const ModelConfig& config;
    const LayerWeights& weights;
    ExpertStream& experts;
    int layer;
    KeyValues kv;
    View<const float> angles;  // [rows, head_dim] for this layer's kind
    int first_position;
    // The first rows are the encoder's: causal, with its output scale. The others are a canvas.
    int encoder_rows;
    bool keys_only;  // nothing reads the encoder's rows after this layer's keys and values
    View<float> x;   // [rows, hidden], the residual stream, overwritten
};

void run_layer(const Context& context, const LayerArgs& args);

}  // namespace sfumato
