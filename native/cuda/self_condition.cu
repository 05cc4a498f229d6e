// Self-conditioning: rows of the embedding, weighted by what the last step believed.
//
//   soft:  a row from its kept tokens and the even rest, or a mark that it is too flat for that
//   list:  the flat rows, in order, and how many
//   for each piece of 32,768 tokens, by blocks that return at once where no row is flat:
//     product → raw logits   belief: raw → p   add: out += p · E in halves, on tensor cores
//
// All of it is launched whether rows are flat or not, so that a recording knows no difference and
// the host need not ask.
#include "ops/self_condition.h"

#include <algorithm>

#include "cuda/embedding.cuh"
#include "cuda/product.cuh"
#include "cuda/ptx.cuh"
#include "ops/rms_norm.h"

namespace sfumato::cuda {
namespace {

constexpr int threads = 128;

// Two floats as halves in one word.
__device__ __forceinline__ uint32_t half_bits(float low, float high) {
    return static_cast<uint32_t>(__half_as_ushort(__float2half_rn(low))) |
           static_cast<uint32_t>(__half_as_ushort(__float2half_rn(high))) << 16;
}

// Adds factor · E[token] to the thread's eighth of a row.
template <class Rows>
__device__ __forceinline__ void add_row(
    const Weights& e, int token, int eighth, float factor, float (&sum)[8]) {
    float v[8];
    Rows::eight(e, token, eighth, v);
    for (int i = 0; i < 8; ++i) sum[i] += factor * v[i];
}

__device__ __forceinline__ void write(
    const float (&sum)[8], float scale, int eighth, int hidden, float* out) {
    for (int i = 0; i < 8 && eighth * 8 + i < hidden; ++i) out[eighth * 8 + i] = sum[i] * scale;
}

// One block a row, eight columns a thread. Where flat[row] comes out true, the row is left alone.
template <class Rows>
__global__ void __launch_bounds__(threads) soft_kernel(Kept kept,
                                                       Weights e,
                                                       const float* sum,
                                                       const int32_t* pinned,
                                                       float scale,
                                                       bool* flat,
                                                       float* out) {
    __shared__ int token[Kept::most];
    __shared__ float p[Kept::most];
    __shared__ float even;
    __shared__ bool too_flat;
    const int row = blockIdx.x, pin = pinned[row], count = pin >= 0 ? 1 : kept.count[row];
    for (int i = threadIdx.x; i < count; i += threads) {
        token[i] = pin >= 0 ? pin : kept.token.row(row)[i];
        p[i] = pin >= 0 ? 1.0f : kept.p.row(row)[i];
    }
    __syncthreads();
    if (threadIdx.x == 0) {
        double left = 1.0;
        for (int i = 0; i < count; ++i) left -= static_cast<double>(p[i]);
        const int others = e.outputs - count;
        even = others == 0 || pin >= 0 ? 0.0f : static_cast<float>(fmax(left, 0.0) / others);
        too_flat = pin < 0 && 1.0 - left < static_cast<double>(Kept::least_mass);
        flat[row] = too_flat;
    }
    __syncthreads();
    if (too_flat) return;
    for (int eighth = threadIdx.x; eighth * 8 < e.inputs; eighth += threads) {
        float acc[8];
        for (int i = 0; i < 8; ++i)
            acc[i] = eighth * 8 + i < e.inputs ? even * sum[eighth * 8 + i] : 0.0f;
        for (int k = 0; k < count; ++k) add_row<Rows>(e, token[k], eighth, p[k] - even, acc);
        write(acc, scale, eighth, e.inputs, out + static_cast<size_t>(row) * e.inputs);
    }
}

constexpr int piece = 32768;      // tokens
constexpr int belief_blocks = 4;  // of a row and piece
constexpr int add_threads = 256;
constexpr int add_tokens = 128, add_columns = 64;
constexpr int p_stride = add_tokens + 8, e_stride = add_columns + 8;  // halves, of shared memory
// A half of p = 4e-6 has few bits, of 32768 p all of them.
constexpr float p_unit = 32768.0f;

// The rows that are to be computed from all of p.
struct FlatRows {
    int32_t* row;      // [rows]
    float* log_total;  // [rows], of each flat one
    Item* items;       // of at most item_rows flat rows
    int* count;        // of items, then of flat rows
};

// One warp.
__global__ void list_kernel(const bool* flat, const float* log_total, int rows, FlatRows out) {
    const int lane = threadIdx.x;
    int count = 0;
    for (int begin = 0; begin < rows; begin += 32) {
        const int row = begin + lane;
        const bool mine = row < rows && flat[row];
        const unsigned all = __ballot_sync(~0u, mine);
        if (mine) {
            const int at = count + __popc(all & ((1u << lane) - 1));
            out.row[at] = row;
            out.log_total[at] = log_total[row];
        }
        count += __popc(all);
    }
    const int items = (count + item_rows - 1) / item_rows;
    for (int i = lane; i < items; i += 32)
        out.items[i] = {0, i * item_rows, min(item_rows, count - i * item_rows)};
    if (lane == 0) {
        out.count[0] = items;
        out.count[1] = count;
    }
}

// raw [flat rows, width] becomes p · p_unit, in place.
__global__ void __launch_bounds__(add_threads)
    belief_kernel(FlatRows flat, float* raw, int width, float softcap, const float* temperature) {
    const int row = blockIdx.y;
    if (row >= flat.count[1]) return;
    const float factor = softcap / *temperature, log_total = flat.log_total[row];
    float* const at = raw + static_cast<size_t>(row) * width;
    for (int i = blockIdx.x * add_threads + threadIdx.x; i < width; i += gridDim.x * add_threads)
        at[i] = p_unit * expf(factor * tanhf(at[i] / softcap) - log_total);
}

// out[flat row] (+)= scale · Σ p · E over a piece of the vocabulary: a block item_rows rows and 64
// columns, a warp 16 rows and 16 columns of them.
template <class Rows>
__global__ void __launch_bounds__(add_threads)
    add_kernel(FlatRows flat, const float* p, Weights e, bool first, float scale, float* out) {
    alignas(16) __shared__ __half p_tile[item_rows * p_stride];
    alignas(16) __shared__ __half e_tile[add_tokens * e_stride];
    if (static_cast<int>(blockIdx.y) >= flat.count[0]) return;
    const Item item = flat.items[blockIdx.y];
    const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
    const int my_row = warp % 2 * 16, my_column = warp / 2 * 16;
    float acc[2][4] = {};
    for (int begin = 0; begin < e.outputs; begin += add_tokens) {
        __syncthreads();
        for (int i = threadIdx.x; i < item_rows * add_tokens; i += add_threads) {
            const int row = i / add_tokens, token = i % add_tokens;
            const bool inside = row < item.count && begin + token < e.outputs;
            const size_t at = static_cast<size_t>(item.first + row) * e.outputs + begin + token;
            p_tile[row * p_stride + token] = __float2half_rn(inside ? p[at] : 0.0f);
        }
        for (int i = threadIdx.x; i < add_tokens * add_columns / 8; i += add_threads) {
            const int token = i / (add_columns / 8), in_tile = i % (add_columns / 8);
            const int eighth = static_cast<int>(blockIdx.x) * (add_columns / 8) + in_tile;
            float v[8] = {};
            if (begin + token < e.outputs && eighth * 8 < e.inputs)
                Rows::eight(e, begin + token, eighth, v);
            *reinterpret_cast<uint4*>(e_tile + token * e_stride + in_tile * 8) =
                make_uint4(half_bits(v[0], v[1]),
                           half_bits(v[2], v[3]),
                           half_bits(v[4], v[5]),
                           half_bits(v[6], v[7]));
        }
        __syncthreads();
#pragma unroll
        for (int k = 0; k < add_tokens; k += 16) {
            uint32_t a[4], b[4];
            load_matrices(a, p_tile + (my_row + lane % 16) * p_stride + k + lane / 16 * 8);
            load_transposed(
                b,
                e_tile + (k + lane % 8 + lane / 8 % 2 * 8) * e_stride + my_column + lane / 16 * 8);
            const uint32_t left[2] = {b[0], b[1]}, right[2] = {b[2], b[3]};
            mma_f16(acc[0], a, left);
            mma_f16(acc[1], a, right);
        }
    }
    const int g = lane / 4, t = lane % 4;
#pragma unroll
    for (int n = 0; n < 2; ++n)
        for (int i = 0; i < 4; ++i) {
            const int row = my_row + g + i / 2 * 8;
            const int column =
                static_cast<int>(blockIdx.x) * add_columns + my_column + 8 * n + 2 * t + i % 2;
            if (row >= item.count || column >= e.inputs) continue;
            float& to = out[static_cast<size_t>(flat.row[item.first + row]) * e.inputs + column];
            const float sum = acc[n][i] * (scale / p_unit);
            to = first ? sum : to + sum;
        }
}

// The same from the logits [rows, width] of tokens first … first + width - 1, added to `out`.
template <class Rows>
__global__ void __launch_bounds__(threads) dense_kernel(const float* logits,
                                                        int stride,
                                                        Weights e,
                                                        int first,
                                                        int width,
                                                        float temperature,
                                                        const float* log_total,
                                                        const int32_t* pinned,
                                                        float scale,
                                                        float* out) {
    const int row = blockIdx.x, pin = pinned[row];
    float* to = out + static_cast<size_t>(row) * e.inputs;
    for (int eighth = threadIdx.x; eighth * 8 < e.inputs; eighth += threads) {
        float acc[8] = {};
        if (pin >= 0) {
            add_row<Rows>(e, pin, eighth, scale, acc);
            write(acc, 1.0f, eighth, e.inputs, to);
            continue;
        }
        if (first > 0)
            for (int i = 0; i < 8 && eighth * 8 + i < e.inputs; ++i) acc[i] = to[eighth * 8 + i];
        for (int i = 0; i < width; ++i) {
            const float z = logits[static_cast<size_t>(row) * stride + i] / temperature;
            add_row<Rows>(e, first + i, eighth, expf(z - log_total[row]) * scale, acc);
        }
        write(acc, 1.0f, eighth, e.inputs, to);
    }
}

// Sums of 512 rows of the embedding.
template <class Rows>
__global__ void __launch_bounds__(threads) slab_sum_kernel(Weights e, float* sums) {
    const int first = blockIdx.x * Embedding::slab_rows,
              end = min(first + Embedding::slab_rows, e.outputs);
    for (int eighth = threadIdx.x; eighth * 8 < e.inputs; eighth += threads) {
        float acc[8] = {};
        for (int row = first; row < end; ++row) add_row<Rows>(e, row, eighth, 1.0f, acc);
        write(acc, 1.0f, eighth, e.inputs, sums + static_cast<size_t>(blockIdx.x) * e.inputs);
    }
}

__global__ void column_sum_kernel(const float* sums, int rows, int width, float* out) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= width) return;
    float total = 0.0f;
    for (int row = 0; row < rows; ++row) total += sums[static_cast<size_t>(row) * width + i];
    out[i] = total;
}

}  // namespace

void soft_embedding(const Context& context, const SoftEmbeddingArgs& a) {
    Arena::Scope scope(context.scratch);
    Arena& scratch = context.scratch;
    const int rows = a.out.rows, vocab = a.embedding.vocab;
    const int most_items = (rows + item_rows - 1) / item_rows;
    const auto all = static_cast<size_t>(rows);
    bool* const is_flat = scratch.take<bool>(all);
    const FlatRows flat{.row = scratch.take<int32_t>(all),
                        .log_total = scratch.take<float>(all),
                        .items = scratch.take<Item>(static_cast<size_t>(most_items)),
                        .count = scratch.take<int>(2)};
    const DType head_type = a.head.slabs[0].type, type = a.embedding.slabs[0].type;
    const Weights head = weights_of(a.head), e = weights_of(a.embedding);
    with_rows(type, [&]<class Rows>() {
        launch(context,
               soft_kernel<Rows>,
               dim3(static_cast<unsigned>(rows)),
               dim3(threads),
               0,
               a.kept,
               e,
               a.sum,
               a.pinned.data(),
               a.scale,
               is_flat,
               a.out.data);
    });
    launch(context, list_kernel, dim3(1), dim3(32), 0, is_flat, a.log_total, rows, flat);
    const Activations x = activations(context, a.hidden, has_codes(head_type));
    const View<float> raw = scratch.take<float>(rows, std::min(piece, vocab));
    for (int first = 0; first < vocab; first += piece) {
        const int width = std::min(piece, vocab - first);
        product(context,
                {.type = head_type,
                 .w = rows_of(head, head_type, first, width),
                 .x = x,
                 .rows = flat.row,
                 .items = {flat.items, flat.count, most_items},
                 .out = {raw.data, rows, width}});
        launch(context,
               belief_kernel,
               dim3(belief_blocks, static_cast<unsigned>(rows)),
               dim3(add_threads),
               0,
               flat,
               raw.data,
               width,
               a.softcap,
               &a.temperature);
        with_rows(type, [&]<class Rows>() {
            launch(context,
                   add_kernel<Rows>,
                   dim3(blocks(static_cast<size_t>(e.inputs), add_columns),
                        static_cast<unsigned>(most_items)),
                   dim3(add_threads),
                   0,
                   flat,
                   static_cast<const float*>(raw.data),
                   rows_of(e, type, first, width),
                   first == 0,
                   a.scale,
                   a.out.data);
        });
    }
}

void dense_soft_embedding(const Context& context, const DenseSoftEmbeddingArgs& a) {
    Arena::Scope scope(context.scratch);
    View<const float> logits = a.logits;
    if (logits.data == nullptr) {
        const View<float> all = context.scratch.take<float>(a.hidden.rows, a.head.vocab);
        full_logits(context,
                    {.hidden = a.hidden, .embedding = a.head, .softcap = a.softcap, .out = all});
        logits = all;
    }
    with_rows(a.embedding.slabs[0].type, [&]<class Rows>() {
        launch(context,
               dense_kernel<Rows>,
               dim3(static_cast<unsigned>(a.out.rows)),
               dim3(threads),
               0,
               logits.data,
               logits.width,
               weights_of(a.embedding),
               0,
               logits.width,
               a.temperature,
               a.log_total,
               a.pinned.data(),
               a.scale,
               a.out.data);
    });
}

void embedding_sum(const Context& context, const EmbeddingSumArgs& a) {
    Arena::Scope scope(context.scratch);
    const int slabs = static_cast<int>(a.embedding.slabs.size()), hidden = a.embedding.hidden;
    const View<float> sums = context.scratch.take<float>(slabs, hidden);
    with_rows(a.embedding.slabs[0].type, [&]<class Rows>() {
        launch(context,
               slab_sum_kernel<Rows>,
               dim3(static_cast<unsigned>(slabs)),
               dim3(threads),
               0,
               weights_of(a.embedding),
               sums.data);
    });
    launch(context,
           column_sum_kernel,
           dim3(blocks(static_cast<size_t>(hidden), 256)),
           dim3(256),
           0,
           static_cast<const float*>(sums.data),
           slabs,
           hidden,
           a.out);
}

void self_condition(const Context& context, const SelfConditionArgs& a) {
    Arena::Scope scope(context.scratch);
    const View<float> normed = context.scratch.take<float>(a.soft.rows, a.soft.width);
    rms_norm(context, {.x = a.soft, .weight = a.norm, .eps = a.eps, .out = normed});
    mlp(context, {.x = normed, .gate = a.gate, .up = a.up, .down = a.down, .out = a.out});
}

}  // namespace sfumato::cuda
