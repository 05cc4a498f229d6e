// The head and what a step needs from its logits, one piece of the vocabulary after another, so
// that the logits of a piece stay in the cache and never go to memory whole.
//
//   for each piece of 8192 tokens:  product  → raw [rows, piece]
//                                   read     → of each row: maximum, Σ e^z, Σ e^z z, argmax so far,
//                                              Σ e^z of every 32 tokens, the likeliest 256 so far
//   finish: entropy, the sampled token (the 32 tokens where the distribution function crosses the
//   draw
//           are computed once more), kept tokens in the order of their ids
//
// A token whose probability among the tokens read so far is below Kept::smallest_p can be dropped:
// more tokens only make it smaller.
#include "ops/logits.h"

#include <algorithm>

#include "cuda/embedding.cuh"
#include "cuda/product.cuh"

namespace sfumato::cuda {
namespace {

constexpr int piece = 8192;            // tokens
constexpr int threads = 256;           // of the block that reads a row
constexpr int each = piece / threads;  // logits of a thread
constexpr int slab = 32;               // tokens whose sum is kept
constexpr int most = Kept::most;
static_assert(most == threads);

struct RowState {
    double max, total, weighted;  // sums are relative to e^max
    int argmax, count;            // count: of candidates
};

struct Head {
    const float* temperature;
    float softcap;
    int rows, vocab, slabs, pieces;
    float* raw;          // [rows, piece]
    RowState* state;     // [rows]
    float* slab_total;   // [rows, slabs], relative to e^(maximum of its piece)
    float* piece_max;    // [rows, pieces]
    float* candidate_z;  // [rows, most]
    int32_t* candidate;  // [rows, most]
    Weights e;
    Activations x;
    const float* uniform;
    int32_t *argmax, *sampled;
    float *entropy, *log_total;
    bool keeps;
    Kept kept;
};

__device__ __forceinline__ float z_of(const Head& h, float raw) {
    return h.softcap / *h.temperature * tanhf(raw / h.softcap);
}

// Larger z first, then the lower id: no two keys are equal.
__device__ __forceinline__ uint64_t key_of(float z, int token) {
    const uint32_t bits = __float_as_uint(z);
    const uint32_t ordered = bits >> 31 ? ~bits : bits | 0x80000000u;
    return static_cast<uint64_t>(ordered) << 32 | static_cast<uint32_t>(~token);
}

// Maximum, and the lowest token that has it, over the block; in every thread.
__device__ __forceinline__ void block_argmax(float& z,
                                             int& token,
                                             float* shared_z,
                                             int* shared_token) {
    const auto take = [&](float other, int other_token) {
        if (other > z || (other == z && other_token < token)) {
            z = other;
            token = other_token;
        }
    };
    for (int bits = 16; bits > 0; bits /= 2) {
        const float other = __shfl_xor_sync(~0u, z, bits);
        const int other_token = __shfl_xor_sync(~0u, token, bits);
        take(other, other_token);
    }
    if (threadIdx.x % 32 == 0) {
        shared_z[threadIdx.x / 32] = z;
        shared_token[threadIdx.x / 32] = token;
    }
    __syncthreads();
    for (int i = 0; i < threads / 32; ++i) take(shared_z[i], shared_token[i]);
    __syncthreads();
}

__device__ __forceinline__ int block_count(int mine, int* shared) {
    const int of_warp = __reduce_add_sync(~0u, mine);
    if (threadIdx.x % 32 == 0) shared[threadIdx.x / 32] = of_warp;
    __syncthreads();
    int total = 0;
    for (int i = 0; i < threads / 32; ++i) total += shared[i];
    __syncthreads();
    return total;
}

// One block a row. The thread's values are tokens threadIdx.x, threadIdx.x + threads, … of the
// piece, so that a warp holds a slab at a time.
__global__ void __launch_bounds__(threads) read_kernel(Head h, int index, int width) {
    __shared__ float shared[33];
    __shared__ int shared_token[threads / 32];
    __shared__ float threshold;
    __shared__ int kept_count;
    const int row = blockIdx.x, first = index * piece;
    const float* raw = h.raw + static_cast<size_t>(row) * width;
    RowState& state = h.state[row];

    float z[each], max = -INFINITY;
    int argmax = h.vocab;
#pragma unroll
    for (int j = 0; j < each; ++j) {
        const int i = j * threads + threadIdx.x;
        z[j] = i < width ? z_of(h, raw[i]) : -INFINITY;
        if (z[j] > max) {
            max = z[j];
            argmax = first + i;
        }
    }
    block_argmax(max, argmax, shared, shared_token);

    float total = 0.0f, weighted = 0.0f;
#pragma unroll
    for (int j = 0; j < each; ++j) {
        const float gap = z[j] - max,
                    e = j * threads + threadIdx.x < static_cast<unsigned>(width) ? expf(gap) : 0.0f;
        total += e;
        weighted += e > 0.0f ? e * gap : e;  // keeps a NaN
        const float of_slab = warp_sum(e);
        const int at = first / slab + j * (threads / slab) + threadIdx.x / 32;
        if (threadIdx.x % 32 == 0 && at < h.slabs)
            h.slab_total[static_cast<size_t>(row) * h.slabs + at] = of_slab;
    }
    total = block_sum(total, shared);
    __syncthreads();
    weighted = block_sum(weighted, shared);
    if (threadIdx.x == 0) {
        h.piece_max[static_cast<size_t>(row) * h.pieces + index] = max;
        RowState s = index == 0 ? RowState{-INFINITY, 0.0, 0.0, 0, 0} : state;
        if (max > s.max) {
            if (s.total > 0.0) {
                const double gap = s.max - max, shrink = exp(gap);
                s.weighted = shrink * (s.weighted + gap * s.total);
                s.total *= shrink;
            }
            s.max = max;
            s.argmax = argmax;
        }
        const double gap = max - s.max, shrink = exp(gap);
        s.weighted += shrink * (weighted + gap * total);
        s.total += shrink * total;
        state = s;
        // A little lower, so that rounding here drops nothing that the end would keep.
        threshold =
            static_cast<float>(s.max + log(s.total) + log(static_cast<double>(Kept::smallest_p))) -
            1e-3f;
        kept_count = 0;
    }
    __syncthreads();
    if (!h.keeps) return;

    // Candidates: those from before, one a thread, and the new ones.
    const size_t own = static_cast<size_t>(row) * most + threadIdx.x;
    const int before = state.count;
    const bool has_old = static_cast<int>(threadIdx.x) < before;
    const float old_z = has_old ? h.candidate_z[own] : -INFINITY;
    const int old_token = has_old ? h.candidate[own] : 0;
    int mine = old_z >= threshold ? 1 : 0;
#pragma unroll
    for (int j = 0; j < each; ++j) mine += z[j] >= threshold ? 1 : 0;
    uint64_t lowest = key_of(threshold, 0x7fffffff);
    if (block_count(mine, shared_token) > most) {
        // The key of the last that stays, bit by bit from the top.
        lowest = 0;
        for (int bit = 63; bit >= 0; --bit) {
            const uint64_t trial = lowest | uint64_t{1} << bit;
            int above = old_z >= threshold && key_of(old_z, old_token) >= trial ? 1 : 0;
#pragma unroll
            for (int j = 0; j < each; ++j)
                above +=
                    z[j] >= threshold && key_of(z[j], first + j * threads + threadIdx.x) >= trial
                        ? 1
                        : 0;
            if (block_count(above, shared_token) >= most) lowest = trial;
        }
    }
    const auto keep = [&](float value, int token) {
        if (!(value >= threshold) || key_of(value, token) < lowest) return;
        const size_t to = static_cast<size_t>(row) * most + atomicAdd(&kept_count, 1);
        h.candidate_z[to] = value;
        h.candidate[to] = token;
    };
    keep(old_z, old_token);
#pragma unroll
    for (int j = 0; j < each; ++j) keep(z[j], first + j * threads + threadIdx.x);
    __syncthreads();
    if (threadIdx.x == 0) state.count = kept_count;
}

// z of one token for one row, by a warp; in every lane.
template <class Rows>
__device__ __forceinline__ float one_z(const Head& h, int row, int token) {
    float sum = 0.0f;
    for (int eighth = threadIdx.x % 32; eighth * 8 < h.e.inputs; eighth += 32) {
        float w[8];
        Rows::eight(h.e, token, eighth, w);
        if (h.x.q != nullptr) {
            const size_t at = (static_cast<size_t>(row) * h.x.chunks) * chunk_inputs + eighth * 8;
            const float scale = h.x.worth[at / group].x;
            for (int i = 0; i < 8; ++i) sum += w[i] * (scale * static_cast<float>(h.x.q[at + i]));
        } else {
            const float* x = h.x.x.data + static_cast<size_t>(row) * h.e.inputs + eighth * 8;
            for (int i = 0; i < 8 && eighth * 8 + i < h.e.inputs; ++i) sum += w[i] * x[i];
        }
    }
    return z_of(h, warp_sum(sum));
}

template <class Rows>
__global__ void __launch_bounds__(threads) finish_kernel(Head h) {
    __shared__ double segment[threads];
    __shared__ double before_slab, target;
    __shared__ int crossing;
    __shared__ float z[slab];
    __shared__ int valid_tokens[most];
    const int row = blockIdx.x;
    const RowState state = h.state[row];
    const double log_total = state.max + log(state.total);

    // Where the distribution function crosses the draw: first each thread's run of slabs, then its
    // slabs.
    const int run = (h.slabs + threads - 1) / threads;
    const auto share = [&](int s) {
        const float piece_max =
            h.piece_max[static_cast<size_t>(row) * h.pieces + s / (piece / slab)];
        return exp(static_cast<double>(piece_max) - state.max) *
               static_cast<double>(h.slab_total[static_cast<size_t>(row) * h.slabs + s]);
    };
    const int begin = min(h.slabs, static_cast<int>(threadIdx.x) * run),
              end = min(h.slabs, begin + run);
    double sum = 0.0;
    for (int s = begin; s < end; ++s) sum += share(s);
    segment[threadIdx.x] = sum;
    __syncthreads();
    if (threadIdx.x == 0) {
        target = static_cast<double>(h.uniform[row]) * state.total;
        double before = 0.0;
        int i = 0, last = (h.slabs - 1) / run;
        for (; i < last && !(before + segment[i] > target); ++i) before += segment[i];
        int s = i * run;
        for (; s + 1 < min(h.slabs, (i + 1) * run); ++s) {
            const double of_slab = share(s);
            if (before + of_slab > target) break;
            before += of_slab;
        }
        before_slab = before;
        crossing = s;
    }
    __syncthreads();
    const int first = crossing * slab, tokens = min(slab, h.vocab - first);
    for (int i = threadIdx.x / 32; i < tokens; i += threads / 32) {
        const float value = one_z<Rows>(h, row, first + i);
        if (threadIdx.x % 32 == 0) z[i] = value;
    }
    __syncthreads();
    if (threadIdx.x == 0) {
        double before = before_slab;
        int i = 0;
        for (; i + 1 < tokens; ++i) {
            before += exp(static_cast<double>(z[i]) - state.max);
            if (before > target) break;
        }
        h.sampled[row] = first + i;
        h.argmax[row] = state.argmax;
        h.log_total[row] = static_cast<float>(log_total);
        const double entropy = log(state.total) - state.weighted / state.total;
        h.entropy[row] = static_cast<float>(entropy < 0.0 ? 0.0 : entropy);  // keeps a NaN
    }
    if (!h.keeps) return;

    const size_t own = static_cast<size_t>(row) * most + threadIdx.x;
    const bool has = static_cast<int>(threadIdx.x) < state.count;
    const float p =
        has ? static_cast<float>(exp(static_cast<double>(h.candidate_z[own]) - log_total)) : 0.0f;
    const bool stays = has && p >= Kept::smallest_p;
    const int token = stays ? h.candidate[own] : 0x7fffffff;
    valid_tokens[threadIdx.x] = token;
    __syncthreads();
    int rank = 0, count = 0;
    for (int i = 0; i < most; ++i) {
        rank += valid_tokens[i] < token ? 1 : 0;
        count += valid_tokens[i] != 0x7fffffff ? 1 : 0;
    }
    if (stays) {
        h.kept.token.row(row)[rank] = token;
        h.kept.p.row(row)[rank] = p;
    }
    if (threadIdx.x == 0) h.kept.count[row] = count;
}

__global__ void softcap_kernel(float* raw, size_t count, float softcap) {
    const size_t i = static_cast<size_t>(blockIdx.x) * blockDim.x + threadIdx.x;
    if (i < count) raw[i] = softcap * tanhf(raw[i] / softcap);
}

}  // namespace

void logits(const Context& context, const LogitsArgs& a) {
    Arena::Scope scope(context.scratch);
    Arena& scratch = context.scratch;
    const int rows = a.hidden.rows, vocab = a.embedding.vocab;
    const int slabs = (vocab + slab - 1) / slab, pieces = (vocab + piece - 1) / piece;
    const DType type = a.embedding.slabs[0].type;
    const Head head{.temperature = &a.temperature,
                    .softcap = a.softcap,
                    .rows = rows,
                    .vocab = vocab,
                    .slabs = slabs,
                    .pieces = pieces,
                    .raw = scratch.take<float>(rows, std::min(piece, vocab)).data,
                    .state = scratch.take<RowState>(static_cast<size_t>(rows)),
                    .slab_total = scratch.take<float>(rows, slabs).data,
                    .piece_max = scratch.take<float>(rows, pieces).data,
                    .candidate_z = scratch.take<float>(rows, most).data,
                    .candidate = scratch.take<int32_t>(rows, most).data,
                    .e = weights_of(a.embedding),
                    .x = activations(context, a.hidden, has_codes(type)),
                    .uniform = a.uniform,
                    .argmax = a.argmax,
                    .sampled = a.sampled,
                    .entropy = a.entropy,
                    .log_total = a.log_total,
                    .keeps = a.kept != nullptr,
                    .kept = a.kept != nullptr ? *a.kept : Kept{}};
    for (int i = 0; i < pieces; ++i) {
        const int width = std::min(piece, vocab - i * piece);
        product(context,
                {.type = type,
                 .w = rows_of(head.e, type, i * piece, width),
                 .x = head.x,
                 .out = {head.raw, rows, width}});
        launch(context,
               read_kernel,
               dim3(static_cast<unsigned>(rows)),
               dim3(threads),
               0,
               head,
               i,
               width);
    }
    with_rows(type, [&]<class Rows>() {
        launch(context,
               finish_kernel<Rows>,
               dim3(static_cast<unsigned>(rows)),
               dim3(threads),
               0,
               head);
    });
}

void full_logits(const Context& context, const FullLogitsArgs& a) {
    Arena::Scope scope(context.scratch);
    const DType type = a.embedding.slabs[0].type;
    const Activations x = activations(context, a.hidden, has_codes(type));
    product(context, {.type = type, .w = weights_of(a.embedding), .x = x, .out = a.out});
    launch(context,
           softcap_kernel,
           dim3(blocks(a.out.size(), 256)),
           dim3(256),
           0,
           a.out.data,
           a.out.size(),
           a.softcap);
}

}  // namespace sfumato::cuda
