#include "model/layer.h"

#include "ops/linear.h"
#include "ops/mlp.h"
#include "ops/moe.h"
#include "ops/rms_norm.h"
#include "ops/rope.h"

namespace sfumato {
namespace {

// Queries stay, keys and values go to the cache.
void project(const Context& context, const LayerArgs& a, View<const float> h, View<float> q) {
    const LayerWeights& w = a.weights;
    const int rows = h.rows, d = a.kv.head_dim, kv_width = a.kv.kv_heads * d;
    const float eps = a.config.rms_eps;
    const View<float> k = context.scratch.take<float>(rows, kv_width);
    const View<float> v = context.scratch.take<float>(rows, kv_width);
    const Projection all[] = {{&w.attn_k, k}, {&w.attn_q, q}, {&w.attn_v, v}};
    const Projection keys_queries[] = {{&w.attn_k, k}, {&w.attn_q, q}};
    const Projection keys_values[] = {{&w.attn_k, k}, {&w.attn_v, v}};
    const Projection keys[] = {{&w.attn_k, k}};
    std::span<const Projection> wanted = keys;
    if (a.keys_only && w.has_attn_v) wanted = keys_values;
    if (!a.keys_only) wanted = w.has_attn_v ? std::span<const Projection>(all) : keys_queries;
    ops::linear(context, {.x = h, .projections = wanted});

    // Without a projection of their own, values are the keys before norm and rotation.
    const View<float> raw = w.has_attn_v ? v : k;
    ops::rope(context, {.x = raw, .head_dim = d, .eps = eps, .out = v});
    ops::rope(
        context,
        {.x = k, .head_dim = d, .weight = w.attn_k_norm, .angles = a.angles, .eps = eps, .out = k});
    ops::store(context, {.keys = k, .values = v, .kv = a.kv, .first_position = a.first_position});
    if (a.keys_only) return;
    ops::rope(
        context,
        {.x = q, .head_dim = d, .weight = w.attn_q_norm, .angles = a.angles, .eps = eps, .out = q});
}

// x ← x + rms(attention(rms(x)))
void attend(const Context& context, const LayerArgs& a) {
    Arena::Scope scope(context.scratch);
    const LayerWeights& w = a.weights;
    const int rows = a.x.rows, q_width = a.config.heads * a.kv.head_dim;
    const float eps = a.config.rms_eps;
    const View<float> h = context.scratch.take<float>(rows, a.config.hidden);
    const View<float> q = context.scratch.take<float>(rows, q_width);
    ops::rms_norm(context, {.x = a.x, .weight = w.attn_norm, .eps = eps, .out = h});
    project(context, a, h, q);
    if (a.keys_only) return;
    ops::attention(context,
                   {.q = q,
                    .kv = a.kv,
                    .first_position = a.first_position,
                    .causal = a.encoder,
                    .window = a.config.window_of(a.layer),
                    .out = q});
    const Projection output[] = {{&w.attn_output, h}};
    ops::linear(context, {.x = q, .projections = output});
    ops::rms_norm(
        context,
        {.x = h, .weight = w.post_attention_norm, .residual = a.x, .eps = eps, .out = a.x});
}

// x ← (x + rms(rms(mlp(rms(x))) + rms(moe(rms(x), x)))) · scale
void feed_forward(const Context& context, const LayerArgs& a) {
    Arena::Scope scope(context.scratch);
    const LayerWeights& w = a.weights;
    const float eps = a.config.rms_eps;
    const View<float> u = context.scratch.take<float>(a.x.rows, a.x.width);
    const View<float> dense = context.scratch.take<float>(a.x.rows, a.x.width);
    const View<float> routed = context.scratch.take<float>(a.x.rows, a.x.width);
    ops::rms_norm(context, {.x = a.x, .weight = w.ffn_norm, .eps = eps, .out = u});
    ops::mlp(context,
             {.x = u, .gate = w.ffn_gate, .up = w.ffn_up, .down = w.ffn_down, .out = dense});
    ops::rms_norm(context, {.x = dense, .weight = w.post_ffw_norm_1, .eps = eps, .out = dense});

    ops::rms_norm(context, {.x = a.x, .weight = w.pre_ffw_norm_2, .eps = eps, .out = u});
    a.experts.wait_for(*context.stream, a.layer);
    ops::moe(context,
             {.a = a.x,
              .x = u,
              .router = w.router,
              .router_scale = w.router_scale,
              .expert_scale = w.expert_scale,
              .gate = w.expert_gate,
              .up = w.expert_up,
              .down = w.expert_down,
              .top_k = a.config.experts_used,
              .eps = eps,
              .out = routed,
              .host = w.host_experts.count() > 0 ? &w.host_experts : nullptr});
    a.experts.release(*context.stream, a.layer);
    ops::rms_norm(context, {.x = routed, .weight = w.post_ffw_norm_2, .eps = eps, .out = routed});
    ops::rms_norm(context,
                  {.x = dense,
                   .plus = routed,
                   .weight = w.post_ffw_norm,
                   .residual = a.x,
                   .scale = a.encoder ? w.encoder_scale : w.canvas_scale,
                   .eps = eps,
                   .out = a.x});
}

}  // namespace

void run_layer(const Context& context, const LayerArgs& args) {
    attend(context, args);
    if (args.keys_only)
        args.experts.release(*context.stream, args.layer);
    else
        feed_forward(context, args);
}

}  // namespace sfumato
