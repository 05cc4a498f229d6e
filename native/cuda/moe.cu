// Routed experts.
//
//   router:  one block 8 tokens: logits (f32) → softmax over top_k → pairs of each expert
//   sort:    pairs in the order of their experts → items of at most 32 pairs
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

namespace sfumato::cuda {
namespace {

constexpr int most_top_k = 32, most_experts = 1024;
constexpr int router_tokens = 8;  // of a block, so that router weights are read once for all
constexpr int router_warps = 16, warp_experts = 4;
constexpr int router_inputs = 512;  // of a token in shared memory at a time

// What each token uses. Blocks are those of the router: router_tokens tokens each.
struct Routing {
    int tokens, experts, top_k;
    int32_t* expert;  // [tokens, top_k]
    float* weight;    // [tokens, top_k]
    int32_t* rank;    // [tokens, top_k], among the pairs of the same block and expert
    int32_t* count;   // [blocks, experts], pairs
};

struct Router {
    const float *a, *scale, *weight, *expert_scale;
    int hidden;
    float eps;
};

// By one warp: softmax over the top_k largest logits of a token, the lower index where two are
// equal.
__device__ __forceinline__ void pick(const float* logits,
                                     const float* expert_scale,
                                     const Routing& out,
                                     int token,
                                     int32_t* picked) {
    const int lane = threadIdx.x % 32;
    float taken_value = INFINITY, first = 0.0f, total = 0.0f, mine = 0.0f;
    int taken_index = -1, my_expert = 0;
    for (int k = 0; k < out.top_k; ++k) {
        // The next after the one taken last, in the order of (value falling, index rising).
        float best = -INFINITY;
        int index = out.experts;
        for (int e = lane; e < out.experts; e += 32) {
            const float v = logits[e] == logits[e] ? logits[e] : -INFINITY;  // no number comes last
            const bool left = v < taken_value || (v == taken_value && e > taken_index);
            if (left && (index == out.experts || v > best)) {
                best = v;
                index = e;
            }
        }
        for (int bits = 16; bits > 0; bits /= 2) {
            const float other = __shfl_xor_sync(~0u, best, bits);
            const int other_index = __shfl_xor_sync(~0u, index, bits);
            if (other_index < out.experts &&
                (index == out.experts || other > best || (other == best && other_index < index))) {
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
    if (lane < out.top_k) {
        const size_t at = static_cast<size_t>(token) * out.top_k + lane;
        out.expert[at] = picked[lane] = my_expert;
        out.weight[at] = mine * expert_scale[my_expert] / total;
    }
}

// Norm, logits, top_k and softmax of a few tokens, and how many of their pairs each expert has.
// All in f32. A warp has warp_experts experts at a time and adds over its lanes at the end, so that
// a logit depends on nothing but its token and its expert.
__global__ void __launch_bounds__(32 * router_warps) router_kernel(Router r, Routing out) {
    SFUMATO_DYNAMIC_SHARED(shared);
    auto* const x = reinterpret_cast<float*>(shared);         // [router_tokens, router_inputs]
    float* const logits = x + router_tokens * router_inputs;  // [router_tokens, experts]
    __shared__ float factor[router_tokens];
    __shared__ int32_t picked[router_tokens * most_top_k];
    const int first = blockIdx.x * router_tokens, tokens = min(router_tokens, out.tokens - first);
    const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
    const float* const a = r.a + static_cast<size_t>(first) * r.hidden;
    if (warp < tokens) {
        float squares = 0.0f;
        for (int i = lane; i < r.hidden; i += 32) {
            const float v = a[static_cast<size_t>(warp) * r.hidden + i];
            squares += v * v;
        }
        squares = warp_sum(squares);
        if (lane == 0) factor[warp] = 1.0f / sqrtf(squares / static_cast<float>(r.hidden) + r.eps);
    }
    for (int begin = 0; begin < out.experts; begin += router_warps * warp_experts) {
        const int mine = begin + warp * warp_experts;
        const float* weight[warp_experts];
#pragma unroll
        for (int j = 0; j < warp_experts; ++j)
            weight[j] = r.weight + static_cast<size_t>(min(mine + j, out.experts - 1)) * r.hidden;
        float acc[warp_experts][router_tokens] = {};
        for (int k = 0; k < r.hidden; k += router_inputs) {
            const int width = min(router_inputs, r.hidden - k);
            __syncthreads();
            for (int i = threadIdx.x; i < router_tokens * router_inputs; i += blockDim.x) {
                const int t = i / router_inputs, c = i % router_inputs;
                x[i] = t < tokens && c < width ? a[static_cast<size_t>(t) * r.hidden + k + c] *
                                                     factor[t] * r.scale[k + c]
                                               : 0.0f;
            }
            __syncthreads();
#pragma unroll 4
            for (int c = lane; c < width; c += 32) {
                float w[warp_experts];
#pragma unroll
                for (int j = 0; j < warp_experts; ++j) w[j] = weight[j][k + c];
#pragma unroll
                for (int t = 0; t < router_tokens; ++t) {
                    const float v = x[t * router_inputs + c];
#pragma unroll
                    for (int j = 0; j < warp_experts; ++j) acc[j][t] += w[j] * v;
                }
            }
        }
#pragma unroll
        for (int j = 0; j < warp_experts; ++j)
#pragma unroll
            for (int t = 0; t < router_tokens; ++t) {
                const float logit = warp_sum(acc[j][t]);
                if (lane == 0 && mine + j < out.experts) logits[t * out.experts + mine + j] = logit;
            }
    }
    __syncthreads();
    if (warp < tokens)
        pick(logits + warp * out.experts,
             r.expert_scale,
             out,
             first + warp,
             picked + warp * out.top_k);
    __syncthreads();
    const int pairs = tokens * out.top_k;
    for (int i = threadIdx.x; i < pairs; i += blockDim.x) {
        int before = 0;
        for (int j = 0; j < i; ++j) before += picked[j] == picked[i] ? 1 : 0;
        out.rank[static_cast<size_t>(first) * out.top_k + i] = before;
    }
    for (int e = threadIdx.x; e < out.experts; e += blockDim.x) {
        int found = 0;
        for (int j = 0; j < pairs; ++j) found += picked[j] == e ? 1 : 0;
        out.count[static_cast<size_t>(blockIdx.x) * out.experts + e] = found;
    }
}

constexpr int sort_threads = 1024;

// One block: pairs (token, k) in the order of their experts, tokens of an expert in their own
// order. What the router counted becomes the number of pairs in the blocks before.
//   token [pairs]: of each sorted pair     place [pairs]: where a pair went
// The experts from `here` on are the host's: no items, but tokens and beginnings from 0.
//   counts: items, and pairs that are not the host's
__global__ void __launch_bounds__(sort_threads) sort_kernel(Routing r,
                                                            int here,
                                                            int32_t* token,
                                                            int32_t* place,
                                                            Item* items,
                                                            int* counts,
                                                            int32_t* host_token,
                                                            int32_t* host_first) {
    __shared__ int count[most_experts], first[most_experts + 1], first_item[most_experts + 1];
    const int pairs = r.tokens * r.top_k, groups = (r.tokens + router_tokens - 1) / router_tokens;
    for (int e = threadIdx.x; e < r.experts; e += blockDim.x) {
        int sum = 0;
        for (int g = 0; g < groups; g += 8) {  // eight reads on their way at once
            int found[8];
#pragma unroll
            for (int i = 0; i < 8; ++i)
                found[i] = g + i < groups ? r.count[static_cast<size_t>(g + i) * r.experts + e] : 0;
#pragma unroll
            for (int i = 0; i < 8; ++i) {
                if (g + i < groups) r.count[static_cast<size_t>(g + i) * r.experts + e] = sum;
                sum += found[i];
            }
        }
        count[e] = sum;
    }
    __syncthreads();
    if (threadIdx.x < 32) {
        const int lane = threadIdx.x;
        int pair = 0, item = 0;  // before these 32 experts
        for (int begin = 0; begin < r.experts; begin += 32) {
            const int e = begin + lane, of_e = e < r.experts ? count[e] : 0;
            const int items_of_e = e < here ? (of_e + item_rows - 1) / item_rows : 0;
            int pairs_to = of_e, items_to = items_of_e;
            for (int bits = 1; bits < 32; bits *= 2) {
                const int p = __shfl_up_sync(~0u, pairs_to, bits);
                const int i = __shfl_up_sync(~0u, items_to, bits);
                if (lane >= bits) {
                    pairs_to += p;
                    items_to += i;
                }
            }
            if (e < r.experts) {
                first[e] = pair + pairs_to - of_e;
                first_item[e] = item + items_to - items_of_e;
            }
            pair += __shfl_sync(~0u, pairs_to, 31);
            item += __shfl_sync(~0u, items_to, 31);
        }
        if (lane == 0) {
            first[r.experts] = pairs;
            counts[0] = item;
        }
    }
    __syncthreads();
    const int host_begin = first[here];
    if (threadIdx.x == 0) counts[1] = host_begin;
    for (int e = here + static_cast<int>(threadIdx.x); e <= r.experts && here < r.experts;
         e += blockDim.x)
        host_first[e - here] = first[e] - host_begin;
    for (int e = threadIdx.x; e < here; e += blockDim.x)
        for (int i = 0; i * item_rows < count[e]; ++i)
            items[first_item[e] + i] = {
                e, first[e] + i * item_rows, min(item_rows, count[e] - i * item_rows)};
    for (int pair = threadIdx.x; pair < pairs; pair += blockDim.x) {
        const int e = r.expert[pair], from = pair / r.top_k;
        const int to = first[e] + r.rank[pair] +
                       r.count[static_cast<size_t>(from / router_tokens) * r.experts + e];
        token[to] = from;
        place[pair] = to;
        if (e >= here) host_token[to - host_begin] = from;
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

// The first kernel of the two.
Routing route(const Context& context, const MoeArgs& a, int experts) {
    const unsigned groups = blocks(static_cast<size_t>(a.x.rows), router_tokens);
    Arena& scratch = context.scratch;
    const Routing out{.tokens = a.x.rows,
                      .experts = experts,
                      .top_k = a.top_k,
                      .expert = scratch.take<int32_t>(a.x.rows, a.top_k).data,
                      .weight = scratch.take<float>(a.x.rows, a.top_k).data,
                      .rank = scratch.take<int32_t>(a.x.rows, a.top_k).data,
                      .count = scratch.take<int32_t>(static_cast<int>(groups), experts).data};
    launch(context,
           router_kernel,
           dim3(groups),
           dim3(32 * router_warps),
           static_cast<size_t>(router_tokens * (router_inputs + experts)) * sizeof(float),
           Router{.a = a.a.data,
                  .scale = a.router_scale,
                  .weight = a.router,
                  .expert_scale = a.expert_scale,
                  .hidden = a.a.width,
                  .eps = a.eps},
           out);
    return out;
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
    auto* token = scratch.take<int32_t>(static_cast<size_t>(pairs));
    auto* place = scratch.take<int32_t>(static_cast<size_t>(pairs));
    const int most_items = std::min(pairs, pairs / item_rows + std::min(experts, pairs));
    auto* item_list = scratch.take<Item>(static_cast<size_t>(most_items));
    auto* counts = scratch.take<int>(2);

    const Routing routing = route(context, a, experts);
    launch(context,
           sort_kernel,
           dim3(1),
           dim3(sort_threads),
           0,
           routing,
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
           static_cast<const float*>(routing.weight),
           a.top_k,
           a.out.width,
           a.out.data);
}

}  // namespace sfumato::cuda
