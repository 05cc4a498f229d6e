// Routed experts.
//
//   router logits (f32) → top_k of each token → pairs sorted by expert → items of at most 32 pairs
//   gate_up: one block (item, 64 outputs)   → 8-bit rows, one a pair
//   down:    one block (item, 128 outputs)  → f32 rows, one a pair
//   combine: each token adds its pairs, always in the same order
//
// The grid has a column for each item that there could be; those beyond the real number return at
// once. Items of one expert follow each other, so that a second one finds the expert's weights in
// the cache.
#include "ops/moe.h"

#include <algorithm>

#include "cuda/product.cuh"
#include "ops/rms_norm.h"

namespace sfumato::cuda {
namespace {

constexpr int most_top_k = 32;

// One warp a token: softmax over the top_k largest logits, the lower index where two are equal.
__global__ void pick_kernel(const float* logits,
                            const float* expert_scale,
                            int tokens,
                            int experts,
                            int top_k,
                            int32_t* expert,
                            float* weight) {
    const int token = blockIdx.x * (blockDim.x / 32) + threadIdx.x / 32, lane = threadIdx.x % 32;
    if (token >= tokens) return;
    const float* row = logits + static_cast<size_t>(token) * experts;
    float taken_value = INFINITY, first = 0.0f, total = 0.0f, mine = 0.0f;
    int taken_index = -1, my_expert = 0;
    for (int k = 0; k < top_k; ++k) {
        // The next after the one taken last, in the order of (value falling, index rising).
        float best = -INFINITY;
        int index = experts;
        for (int e = lane; e < experts; e += 32) {
            const float v = row[e] == row[e] ? row[e] : -INFINITY;  // what is no number comes last
            const bool left = v < taken_value || (v == taken_value && e > taken_index);
            if (left && (index == experts || v > best)) {
                best = v;
                index = e;
            }
        }
        for (int bits = 16; bits > 0; bits /= 2) {
            const float other = __shfl_xor_sync(~0u, best, bits);
            const int other_index = __shfl_xor_sync(~0u, index, bits);
            if (other_index < experts &&
                (index == experts || other > best || (other == best && other_index < index))) {
                best = other;
                index = other_index;
            }
        }
        if (k == 0) first = best;
        const float e = expf(best - first);
        total += e;
        if (lane == k) {
            mine = e;
            my_expert = index;
        }
        taken_value = best;
        taken_index = index;
    }
    if (lane < top_k) {
        expert[static_cast<size_t>(token) * top_k + lane] = my_expert;
        weight[static_cast<size_t>(token) * top_k + lane] = mine * expert_scale[my_expert] / total;
    }
}

constexpr int sort_warps = 32, most_experts = 1024;

// One block: pairs (token, k) in the order of their experts, tokens of an expert in their own
// order.
//   token [pairs]: of each sorted pair     place [pairs]: where a pair went
// The experts from `here` on are the host's: no items, but tokens and beginnings from 0.
//   counts: items, and pairs that are not the host's
__global__ void sort_kernel(const int32_t* expert,
                            int pairs,
                            int top_k,
                            int experts,
                            int here,
                            int32_t* token,
                            int32_t* place,
                            Item* items,
                            int* counts,
                            int32_t* host_token,
                            int32_t* host_first) {
    __shared__ int count[most_experts], first[most_experts], first_item[most_experts];
    const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
    for (int e = warp; e < experts; e += sort_warps) {
        int found = 0;
        for (int at = 0; at < pairs; at += 32)
            found += __popc(__ballot_sync(~0u, at + lane < pairs && expert[at + lane] == e));
        if (lane == 0) count[e] = found;
    }
    __syncthreads();
    if (threadIdx.x == 0) {
        int pair = 0, item = 0;
        for (int e = 0; e < experts; ++e) {
            first[e] = pair;
            first_item[e] = item;
            pair += count[e];
            if (e < here) item += (count[e] + item_rows - 1) / item_rows;
        }
        counts[0] = item;
        counts[1] = here < experts ? first[here] : pairs;
    }
    __syncthreads();
    for (int e = here + static_cast<int>(threadIdx.x); e <= experts && here < experts;
         e += blockDim.x)
        host_first[e - here] = (e < experts ? first[e] : pairs) - first[here];
    for (int e = warp; e < experts; e += sort_warps) {
        int next = first[e];
        for (int at = 0; at < pairs; at += 32) {
            const bool hit = at + lane < pairs && expert[at + lane] == e;
            const unsigned hits = __ballot_sync(~0u, hit);
            if (hit) {
                const int to = next + __popc(hits & ((1u << lane) - 1));
                token[to] = (at + lane) / top_k;
                place[at + lane] = to;
                if (e >= here) host_token[to - first[here]] = (at + lane) / top_k;
            }
            next += __popc(hits);
        }
        for (int i = lane; e < here && i * item_rows < count[e]; i += 32)
            items[first_item[e] + i] = {
                e, first[e] + i * item_rows, min(item_rows, count[e] - i * item_rows)};
    }
}

// Pairs from counts[1] on lie in `host_each`.
__global__ void combine_kernel(const float* each,
                               const float* host_each,
                               const int* counts,
                               const int32_t* place,
                               const float* weight,
                               int top_k,
                               int width,
                               float* out) {
    const size_t token = blockIdx.x;
    const int here = counts[1];
    for (int i = threadIdx.x; i < width; i += blockDim.x) {
        float sum = 0.0f;
        for (int k = 0; k < top_k; ++k) {
            const int at = place[token * top_k + k];
            const float* row = at < here ? each + static_cast<size_t>(at) * width
                                         : host_each + static_cast<size_t>(at - here) * width;
            sum += weight[token * top_k + k] * row[i];
        }
        out[token * width + i] = sum;
    }
}

// The router: logits in f32 from its own norm of the residual.
View<float> router_logits(const Context& context, const MoeArgs& a, int experts) {
    const View<float> logits = context.scratch.take<float>(a.a.rows, experts);
    Arena::Scope scope(context.scratch);
    const View<float> scaled = context.scratch.take<float>(a.a.rows, a.a.width);
    rms_norm(context, {.x = a.a, .weight = a.router_scale, .eps = a.eps, .out = scaled});
    const Activations x{.x = scaled};
    product(context,
            {.type = DType::f32,
             .w = {reinterpret_cast<const unsigned char*>(a.router), 0, experts, a.a.width},
             .x = x,
             .out = logits});
    return logits;
}

}  // namespace

void moe(const Context& context, const MoeArgs& a) {
    Arena::Scope scope(context.scratch);
    Arena& scratch = context.scratch;
    const HostShare* host = a.host == nullptr ? nullptr : a.host->share;
    const int here = static_cast<int>(a.gate.size()), tokens = a.x.rows, pairs = tokens * a.top_k;
    const int experts = here + (host == nullptr ? 0 : a.host->count());
    check(a.top_k <= most_top_k && experts <= most_experts,
          "moe: ",
          a.top_k,
          " of ",
          experts,
          " experts, but at most ",
          most_top_k,
          " of ",
          most_experts,
          " on a GPU");
    const auto all = static_cast<size_t>(pairs);
    auto* expert = scratch.take<int32_t>(all);
    auto* weight = scratch.take<float>(all);
    auto* token = scratch.take<int32_t>(all);
    auto* place = scratch.take<int32_t>(all);
    const int most_items = std::min(pairs, pairs / item_rows + std::min(experts, pairs));
    auto* item_list = scratch.take<Item>(static_cast<size_t>(most_items));
    auto* counts = scratch.take<int>(2);

    const View<float> logits = router_logits(context, a, experts);
    launch(context,
           pick_kernel,
           dim3(blocks(static_cast<size_t>(tokens), 4)),
           dim3(128),
           0,
           static_cast<const float*>(logits.data),
           a.expert_scale,
           tokens,
           experts,
           a.top_k,
           expert,
           weight);
    launch(context,
           sort_kernel,
           dim3(1),
           dim3(32 * sort_warps),
           0,
           expert,
           pairs,
           a.top_k,
           experts,
           here,
           token,
           place,
           item_list,
           counts,
           host == nullptr ? nullptr : host->token,
           host == nullptr ? nullptr : host->first);
    if (host != nullptr) {
        stream_of(context).copy(host->x.data, a.x.data, a.x.size() * sizeof(float));
        stream_of(context).call_host(
            [](void* data) { ops::host_experts(*static_cast<const HostExperts*>(data)); },
            const_cast<HostExperts*>(a.host));
    }

    const DType gate_type = a.gate[0].type, up_type = a.up[0].type, down_type = a.down[0].type;
    const Items items{item_list, counts, most_items};
    const Activations x = activations(context, a.x, has_codes(gate_type) || has_codes(up_type));
    const Activations activated = gate_up(context,
                                          {.gate_type = gate_type,
                                           .up_type = up_type,
                                           .gate = weights_of(a.gate),
                                           .up = weights_of(a.up),
                                           .x = x,
                                           .rows = token,
                                           .items = items,
                                           .positions = pairs,
                                           .codes = has_codes(down_type)});
    const View<float> each = scratch.take<float>(pairs, a.out.width);
    product(
        context,
        {.type = down_type, .w = weights_of(a.down), .x = activated, .items = items, .out = each});
    if (host != nullptr) stream_of(context).join_host();
    launch(context,
           combine_kernel,
           dim3(static_cast<unsigned>(tokens)),
           dim3(256),
           0,
           static_cast<const float*>(each.data),
           static_cast<const float*>(host == nullptr ? nullptr : host->each.data),
           static_cast<const int*>(counts),
           place,
           weight,
           a.top_k,
           a.out.width,
           a.out.data);
}

}  // namespace sfumato::cuda
