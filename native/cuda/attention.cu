// Attention on tensor cores, online softmax (Dao et al., FlashAttention-2), keys split over blocks
// where the grid would be small.
//
// Rows of a block are (query row, head of the key head's group) pairs, so that all heads that share
// keys read them once. Four warps; each has 16 rows and, up to head size 256, all of their output
// in registers. Beyond, two warps share 16 rows and each has half of the columns: of the products q
// · key each makes the half of its columns, and adds the other's through shared memory.
//
//   for each tile of keys:   S = q · keysᵀ   while values come (cp.async)
//                            O += softmax(S) · values   while the next keys come
//
// Scores, maxima and sums are f32; q, keys, values and the weights of a tile are halves.
#include "ops/attention.h"

#include <algorithm>

#include "cuda/ptx.cuh"

namespace sfumato::cuda {
namespace {

constexpr int warps = 4;

struct Problem {
    const float* q;  // [rows, heads * head_dim]
    const __half *keys, *values;
    int rows, heads, kv_heads, head_dim, capacity;
    int first_position, window;
    bool causal;
    int splits;
    float* out;  // [rows, heads * head_dim]
    float*
        part_out;  // [splits, rows * heads, head_dim], not yet divided by their sum; if splits > 1
    float2* part;  // [splits, rows * heads]: maximum, sum
};

struct Range {
    int begin, end;  // positions
};
__device__ __forceinline__ Range seen(const Problem& p, int row) {
    const int position = p.first_position + (p.causal ? row : 0);
    return {p.window == 0 ? 0 : max(0, position - (p.window - 1)),
            p.causal ? position + 1 : p.first_position + p.rows};
}

// D: head size, rounded up; columns beyond the head's own are zeros.
template <int D>
struct Shape {
    static constexpr int sharing = D > 256 ? 2 : 1;  // warps that share rows
    static constexpr int rows = 16 * warps / sharing;
    static constexpr int key_tile = D > 256 ? 16 : 32;
    static constexpr int columns = D / sharing;  // of a warp
    static constexpr int stride = D + 8;         // halves; ldmatrix meets no conflict
    static constexpr int q_bytes = rows * stride * 2;
    static constexpr int tile_bytes = key_tile * stride * 2;
    static constexpr int score_bytes = sharing > 1 ? warps * 32 * (key_tile / 2) * 4 : 0;
    static constexpr int bytes = q_bytes + 2 * tile_bytes + score_bytes;
};

template <int D>
__device__ __forceinline__ void load_tile(
    const Problem& p, const __half* from, int kv_head, int first, int end, __half* to) {
    using S = Shape<D>;
    constexpr int pieces = D / 8;
    for (int i = threadIdx.x; i < S::key_tile * pieces; i += blockDim.x) {
        const int row = i / pieces, piece = i % pieces, position = first + row;
        const bool valid = position < end && piece * 8 < p.head_dim;
        const size_t slot =
            static_cast<size_t>(kv_head) * p.capacity + (valid ? position % p.capacity : 0);
        copy_async(to + row * S::stride + piece * 8,
                   from + slot * p.head_dim + (valid ? piece * 8 : 0),
                   valid);
    }
}

template <int D>
__global__ void __launch_bounds__(32 * warps) attention_kernel(Problem p) {
    using S = Shape<D>;
    constexpr int score_tiles = S::key_tile / 8, out_tiles = S::columns / 8;
    SFUMATO_DYNAMIC_SHARED(shared);
    auto* q_tile = reinterpret_cast<__half*>(shared);
    auto* key_tile = reinterpret_cast<__half*>(shared + S::q_bytes);
    auto* value_tile = reinterpret_cast<__half*>(shared + S::q_bytes + S::tile_bytes);
    auto* score_halves = reinterpret_cast<float*>(shared + S::q_bytes + 2 * S::tile_bytes);

    const int warp = threadIdx.x / 32, lane = threadIdx.x % 32, g = lane / 4, t = lane % 4;
    const int kv_head = blockIdx.y, heads_each = p.heads / p.kv_heads, all = p.rows * heads_each;
    const int first_row = blockIdx.x * S::rows;
    const int my_row = warp / S::sharing * 16, my_column = warp % S::sharing * S::columns;

    // What all rows of the block see, and this split's part of it.
    const Range low = seen(p, first_row / heads_each);
    const Range high = seen(p, (min(first_row + S::rows, all) - 1) / heads_each);
    const int tiles = (high.end - low.begin + S::key_tile - 1) / S::key_tile;
    const int each = (tiles + p.splits - 1) / p.splits;
    const int begin = low.begin + blockIdx.z * each * S::key_tile;
    const int end = min(high.end, begin + each * S::key_tile);

    if (begin < end) load_tile<D>(p, p.keys, kv_head, begin, end, key_tile);
    copy_commit();
    for (int i = threadIdx.x; i < S::rows * (D / 2); i += blockDim.x) {
        const int row = i / (D / 2), column = i % (D / 2) * 2, pair = first_row + row;
        float2 v = make_float2(0.0f, 0.0f);
        if (pair < all && column < p.head_dim) {
            const int head = kv_head * heads_each + pair % heads_each;
            v = *reinterpret_cast<const float2*>(
                p.q + (static_cast<size_t>(pair / heads_each) * p.heads + head) * p.head_dim +
                column);
        }
        *reinterpret_cast<__half2*>(q_tile + row * S::stride + column) =
            __floats2half2_rn(v.x, v.y);
    }

    Range range[2];  // of the lane's rows g and g + 8
    for (int i = 0; i < 2; ++i)
        range[i] = seen(p, min(first_row + my_row + g + 8 * i, all - 1) / heads_each);
    float out[out_tiles][4] = {};
    float highest[2] = {-INFINITY, -INFINITY}, total[2] = {0.0f, 0.0f};

    for (int tile = begin; tile < end; tile += S::key_tile) {
        copy_wait<0>();
        __syncthreads();  // keys are here, and nobody reads the last values any more
        load_tile<D>(p, p.values, kv_head, tile, end, value_tile);
        copy_commit();

        float score[score_tiles][4] = {};
#pragma unroll 4
        for (int d = my_column; d < my_column + S::columns; d += 16) {
            uint32_t a[4];
            load_matrices(a, q_tile + (my_row + lane % 16) * S::stride + d + lane / 16 * 8);
#pragma unroll
            for (int n = 0; n < score_tiles; n += 2) {
                uint32_t b[4];
                load_matrices(b,
                              key_tile + (8 * n + lane % 8 + lane / 16 * 8) * S::stride + d +
                                  lane / 8 % 2 * 8);
                const uint32_t left[2] = {b[0], b[1]}, right[2] = {b[2], b[3]};
                mma_f16(score[n], a, left);
                mma_f16(score[n + 1], a, right);
            }
        }
        if constexpr (S::sharing > 1) {
            float4* halves = reinterpret_cast<float4*>(score_halves);
            for (int n = 0; n < score_tiles; ++n)
                halves[(warp * score_tiles + n) * 32 + lane] =
                    make_float4(score[n][0], score[n][1], score[n][2], score[n][3]);
            __syncthreads();
            for (int n = 0; n < score_tiles; ++n) {
                const float4 other = halves[((warp ^ 1) * score_tiles + n) * 32 + lane];
                // Both warps add in one order, so that they agree to the last bit.
                const float mine[4] = {score[n][0], score[n][1], score[n][2], score[n][3]};
                const float theirs[4] = {other.x, other.y, other.z, other.w};
                for (int i = 0; i < 4; ++i)
                    score[n][i] = warp % 2 == 0 ? mine[i] + theirs[i] : theirs[i] + mine[i];
            }
        }

        // Rows g (i = 0) and g + 8 (i = 1); four lanes have the same row.
        for (int i = 0; i < 2; ++i) {
            float most = highest[i];
            for (int n = 0; n < score_tiles; ++n)
                for (int j = 0; j < 2; ++j) {
                    const int position = tile + 8 * n + 2 * t + j;
                    float& s = score[n][2 * i + j];
                    if (position < range[i].begin || position >= range[i].end || position >= end)
                        s = -INFINITY;
                    most = fmaxf(most, s);
                }
            most = fmaxf(most, __shfl_xor_sync(~0u, most, 1));
            most = fmaxf(most, __shfl_xor_sync(~0u, most, 2));
            const float base = most == -INFINITY ? 0.0f : most;
            const float shrink = __expf(highest[i] - base);
            highest[i] = most;
            total[i] *= shrink;
            for (int n = 0; n < out_tiles; ++n) {
                out[n][2 * i] *= shrink;
                out[n][2 * i + 1] *= shrink;
            }
            for (int n = 0; n < score_tiles; ++n)
                for (int j = 0; j < 2; ++j) {
                    float& s = score[n][2 * i + j];
                    s = __expf(s - base);
                    total[i] += s;
                }
        }

        copy_wait<0>();
        __syncthreads();  // values are here, and nobody reads these keys any more
        if (tile + S::key_tile < end)
            load_tile<D>(p, p.keys, kv_head, tile + S::key_tile, end, key_tile);
        copy_commit();
#pragma unroll
        for (int k = 0; k < S::key_tile; k += 16) {
            // The sums of one product have the places that the next one's left operand wants.
            uint32_t a[4];
            for (int i = 0; i < 4; ++i) {
                const __half2 pair = __floats2half2_rn(score[k / 8 + i / 2][i % 2 * 2],
                                                       score[k / 8 + i / 2][i % 2 * 2 + 1]);
                a[i] = static_cast<uint32_t>(__half_as_ushort(__low2half(pair))) |
                       static_cast<uint32_t>(__half_as_ushort(__high2half(pair))) << 16;
            }
#pragma unroll
            for (int n = 0; n < out_tiles; n += 2) {
                uint32_t b[4];
                load_transposed(b,
                                value_tile + (k + lane % 8 + lane / 8 % 2 * 8) * S::stride +
                                    my_column + 8 * n + lane / 16 * 8);
                const uint32_t left[2] = {b[0], b[1]}, right[2] = {b[2], b[3]};
                mma_f16(out[n], a, left);
                mma_f16(out[n + 1], a, right);
            }
        }
    }
    copy_wait<0>();

    for (int i = 0; i < 2; ++i) {
        float sum = total[i];
        sum += __shfl_xor_sync(~0u, sum, 1);
        sum += __shfl_xor_sync(~0u, sum, 2);
        const int pair = first_row + my_row + g + 8 * i;
        if (pair >= all) continue;
        const size_t index = static_cast<size_t>(pair / heads_each) * p.heads +
                             kv_head * heads_each + pair % heads_each;
        float* to = p.out + index * p.head_dim;
        float factor = 1.0f / sum;
        if (p.splits > 1) {
            const size_t of_split = static_cast<size_t>(blockIdx.z) * p.rows * p.heads + index;
            to = p.part_out + of_split * p.head_dim;
            factor = 1.0f;
            if (t == 0 && my_column == 0) p.part[of_split] = make_float2(highest[i], sum);
        }
        for (int n = 0; n < out_tiles; ++n) {
            const int column = my_column + 8 * n + 2 * t;
            if (column < p.head_dim)
                *reinterpret_cast<float2*>(to + column) =
                    make_float2(out[n][2 * i] * factor, out[n][2 * i + 1] * factor);
        }
    }
}

// One warp a (row, head): the splits' outputs, each counted e^(its maximum) fold.
__global__ void merge_kernel(Problem p) {
    const int index = blockIdx.x * (blockDim.x / 32) + threadIdx.x / 32, lane = threadIdx.x % 32;
    const int all = p.rows * p.heads;
    if (index >= all) return;
    float highest = -INFINITY, total = 0.0f;
    for (int s = 0; s < p.splits; ++s)
        highest = fmaxf(highest, p.part[static_cast<size_t>(s) * all + index].x);
    for (int s = 0; s < p.splits; ++s) {
        const float2 part = p.part[static_cast<size_t>(s) * all + index];
        total += __expf(part.x - highest) * part.y;
    }
    for (int i = lane; i < p.head_dim; i += 32) {
        float sum = 0.0f;
        for (int s = 0; s < p.splits; ++s) {
            const size_t of_split = static_cast<size_t>(s) * all + index;
            sum += __expf(p.part[of_split].x - highest) * p.part_out[of_split * p.head_dim + i];
        }
        p.out[static_cast<size_t>(index) * p.head_dim + i] = sum / total;
    }
}

template <int D>
void run(const Context& context, const AttentionArgs& a, Problem p) {
    using S = Shape<D>;
    static_assert(S::bytes <= 99 * 1024);
    const unsigned row_blocks =
        blocks(static_cast<size_t>(p.rows) * static_cast<size_t>(p.heads / p.kv_heads), S::rows);
    const int grid = static_cast<int>(row_blocks) * p.kv_heads;
    // Two blocks a processor, but four tiles of keys a block.
    const int keys = a.window == 0 ? p.first_position + p.rows
                                   : std::min(p.first_position, a.window - 1) + p.rows;
    const int wanted = (2 * stream_of(context).processors() + grid - 1) / grid;
    p.splits = std::max(1, std::min({wanted, keys / (4 * S::key_tile), 16}));
    if (p.splits > 1) {
        const size_t parts = static_cast<size_t>(p.splits) * static_cast<size_t>(p.rows) *
                             static_cast<size_t>(p.heads);
        p.part_out = context.scratch.take<float>(parts * static_cast<size_t>(p.head_dim));
        p.part = context.scratch.take<float2>(parts);
    }
    launch(context,
           attention_kernel<D>,
           dim3(row_blocks, static_cast<unsigned>(p.kv_heads), static_cast<unsigned>(p.splits)),
           dim3(32 * warps),
           static_cast<size_t>(S::bytes),
           p);
    if (p.splits > 1)
        launch(context,
               merge_kernel,
               dim3(blocks(static_cast<size_t>(p.rows) * static_cast<size_t>(p.heads), 4)),
               dim3(128),
               0,
               p);
}

__global__ void store_kernel(const float* keys,
                             const float* values,
                             __half* to_keys,
                             __half* to_values,
                             int rows,
                             int kv_heads,
                             int head_dim,
                             int capacity,
                             int first_position) {
    const int width = kv_heads * head_dim;
    const size_t i = static_cast<size_t>(blockIdx.x) * blockDim.x + threadIdx.x;
    if (i >= static_cast<size_t>(rows) * width) return;
    const int row = static_cast<int>(i / width), head = static_cast<int>(i % width) / head_dim;
    const size_t slot = static_cast<size_t>(head) * capacity + (first_position + row) % capacity;
    const size_t to = slot * head_dim + i % head_dim;
    to_keys[to] = __float2half_rn(keys[i]);
    to_values[to] = __float2half_rn(values[i]);
}

}  // namespace

void attention(const Context& context, const AttentionArgs& a) {
    Arena::Scope scope(context.scratch);
    const int d = a.kv.head_dim;
    check(a.kv.half && d % 8 == 0 && d <= 512,
          "attention: on a GPU keys are halves, and heads 8, 16, … 512 wide, not ",
          d);
    const Problem p{.q = a.q.data,
                    .keys = reinterpret_cast<const __half*>(a.kv.keys),
                    .values = reinterpret_cast<const __half*>(a.kv.values),
                    .rows = a.q.rows,
                    .heads = a.q.width / d,
                    .kv_heads = a.kv.kv_heads,
                    .head_dim = d,
                    .capacity = a.kv.capacity,
                    .first_position = a.first_position,
                    .window = a.window,
                    .causal = a.causal,
                    .splits = 1,
                    .out = a.out.data,
                    .part_out = nullptr,
                    .part = nullptr};
    if (d <= 64)
        run<64>(context, a, p);
    else if (d <= 128)
        run<128>(context, a, p);
    else if (d <= 256)
        run<256>(context, a, p);
    else
        run<512>(context, a, p);
}

void store(const Context& context, const StoreArgs& a) {
    launch(context,
           store_kernel,
           dim3(blocks(a.keys.size(), 256)),
           dim3(256),
           0,
           a.keys.data,
           a.values.data,
           reinterpret_cast<__half*>(a.kv.keys),
           reinterpret_cast<__half*>(a.kv.values),
           a.keys.rows,
           a.kv.kv_heads,
           a.kv.head_dim,
           a.kv.capacity,
           a.first_position);
}

}  // namespace sfumato::cuda
