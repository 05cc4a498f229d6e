#include "model/layer.h"

#include "ops/linear.h"
#include "ops/mlp.h"
#include "ops/moe.h"
#include "ops/rms_norm.h"
#include "ops/rope.h"

namespace sfumato {
namespace {

View<float> rows_from(View<float> x, int first) { return {x.row(first), x.rows - first, x.width}; }

// What is left of a layer's work when the keys and values of all rows are known: the canvas, where
// nothing reads the encoder's rows.
LayerArgs after_keys(LayerArgs a) {
    if (!a.keys_only) return a;
    a.x = rows_from(a.x, a.encoder_rows);
    a.first_position += a.encoder_rows;
    a.encoder_rows = 0;
    return a;
}

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
    const bool keys_suffice = a.keys_only && a.encoder_rows == rows;
    if (keys_suffice && w.has_attn_v) wanted = keys_values;
    if (!keys_suffice) wanted = w.has_attn_v ? std::span<const Projection>(all) : keys_queries;
    ops::linear(context, {.x = h, .projections = wanted});

    // Without a projection of their own, values are the keys before norm and rotation.
    const View<float> raw = w.has_attn_v ? v : k;
    ops::rope(context, {.x = raw, .head_dim = d, .eps = eps, .out = v});
    ops::rope(
        context,
        {.x = k, .head_dim = d, .weight = w.attn_k_norm, .angles = a.angles, .eps = eps, .out = k});
    ops::store(context, {.keys = k, .values = v, .kv = a.kv, .first_position = a.first_position});
    if (keys_suffice) return;
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
    const LayerArgs rest = after_keys(a);
    if (rest.x.rows == 0) return;
    const int done = rows - rest.x.rows;
    const View<float> queries = rows_from(q, done), out = rows_from(h, done);
    const auto look = [&](View<float> some, int first_position, bool causal) {
        if (some.rows > 0)
            ops::attention(context,
                           {.q = some,
                            .kv = a.kv,
                            .first_position = first_position,
                            .causal = causal,
                            .window = a.config.window_of(a.layer),
                            .out = some});
    };
    look(queries.first(rest.encoder_rows), rest.first_position, true);
    look(rows_from(queries, rest.encoder_rows), rest.first_position + rest.encoder_rows, false);
    const Projection output[] = {{&w.attn_output, out}};
    ops::linear(context, {.x = queries, .projections = output});
    ops::rms_norm(
        context,
        {.x = out, .weight = w.post_attention_norm, .residual = rest.x, .eps = eps, .out = rest.x});
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
    const auto end = [&](int first, int count, float scale) {
        const auto some = [&](View<float> all) { return rows_from(all, first).first(count); };
        if (count > 0)
            ops::rms_norm(context,
                          {.x = some(dense),
                           .plus = some(routed),
                           .weight = w.post_ffw_norm,
                           .residual = some(a.x),
                           .scale = scale,
                           .eps = eps,
                           .out = some(a.x)});
    };
    end(0, a.encoder_rows, w.encoder_scale);
    end(a.encoder_rows, a.x.rows - a.encoder_rows, w.canvas_scale);
}

}  // namespace

void run_layer(const Context& context, const LayerArgs& args) {
    attend(context, args);
    const LayerArgs rest = after_keys(args);
    if (rest.x.rows > 0)
        feed_forward(context, rest);
    else
        args.experts.release(*context.stream, args.layer);
}

}  // namespace sfumato
