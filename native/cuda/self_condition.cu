// Self-conditioning: rows of the embedding, weighted by what the last step believed.
#include "ops/self_condition.h"

#include <algorithm>

#include "cuda/embedding.cuh"
#include "cuda/product.cuh"
#include "ops/rms_norm.h"

namespace sfumato::cuda {
namespace {

constexpr int threads = 128;

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

// One block a row, eight columns a thread.
template <class Rows>
__global__ void __launch_bounds__(threads) soft_kernel(
    Kept kept, Weights e, const float* sum, const int32_t* pinned, float scale, float* out) {
    __shared__ int token[Kept::most];
    __shared__ float p[Kept::most];
    __shared__ float even;
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
    }
    __syncthreads();
    for (int eighth = threadIdx.x; eighth * 8 < e.inputs; eighth += threads) {
        float acc[8];
        for (int i = 0; i < 8; ++i)
            acc[i] = eighth * 8 + i < e.inputs ? even * sum[eighth * 8 + i] : 0.0f;
        for (int k = 0; k < count; ++k) add_row<Rows>(e, token[k], eighth, p[k] - even, acc);
        write(acc, scale, eighth, e.inputs, out + static_cast<size_t>(row) * e.inputs);
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
    with_rows(a.embedding.slabs[0].type, [&]<class Rows>() {
        launch(context,
               soft_kernel<Rows>,
               dim3(static_cast<unsigned>(a.out.rows)),
               dim3(threads),
               0,
               a.kept,
               weights_of(a.embedding),
               a.sum,
               a.pinned.data(),
               a.scale,
               a.out.data);
    });
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
