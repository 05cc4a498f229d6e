// 8-bit products on tensor cores, weights from memory once.
//
// A block owns `warps` row tiles of 16 outputs and one item of at most 32 (experts) or 64 (dense)
// rows of x. Along the inputs it goes slab by slab of 256:
//
//                    inputs →                          out
//   warp 0   [ slab 0 | slab 1 | slab 2 | … ]      [16 × rows]    weights: each warp its own
//   stream, warp 1   [ slab 0 | slab 1 | slab 2 | … ]      [16 × rows]    consecutive in memory,
//   read once
//     …                                                …
//   x        [ slab 0 | slab 1 | slab 2 | … ]                     rows of x: shared by all warps
//
// cp.async brings the next slabs of both to shared memory while one is multiplied. Weights lie
// there as in memory, in the order of the fragments (pack.h): 16 bytes a lane, without conflicts.
// Rows of x are 288 bytes apart, so that 8 bytes a lane meet no conflict either; their scales 80
// bytes, likewise.
//
// A group's sums come out of mma.sync as integers below 2^20. The accumulator starts at 1.5 · 2^23
// seen as bits, which makes its bits those of the float 1.5 · 2^23 + sum: one subtraction instead
// of a conversion, which runs at a quarter of the rate.
#include "cuda/product.cuh"

#include <algorithm>

#include "cuda/ptx.cuh"

namespace sfumato::cuda {
namespace {

constexpr int x_stride = slab_inputs + 32;              // bytes of a row of x in shared memory
constexpr int worth_stride = 2 * slab_chunks * 8 + 16;  // bytes of its scales
constexpr int magic = 0x4b400000;                       // the bits of 1.5 · 2^23
constexpr float magic_float = 12582912.0f;

__device__ __forceinline__ float gelu(float z) {
    const float u = 0.7978845608f * (z + 0.044715f * z * z * z);
    return 0.5f * z * (2.0f - 2.0f / (expf(2.0f * u) + 1.0f));
}

// Eight lanes hold 32 values, four each: writes them as a group of 8-bit numbers.
__device__ __forceinline__ void quantize_group(float4 v, int8_t* q, float2* worth, bool writes) {
    float largest = fmaxf(fmaxf(fabsf(v.x), fabsf(v.y)), fmaxf(fabsf(v.z), fabsf(v.w)));
    for (int bits = 4; bits > 0; bits /= 2)
        largest = fmaxf(largest, __shfl_xor_sync(~0u, largest, bits));
    const bool some = largest > 1e-30f;
    const float inverse = some ? 127.0f / largest : 0.0f;
    const auto code = [&](float f) {
        return __float2int_rn(fmaxf(fminf(f * inverse, 127.0f), -127.0f));
    };
    const int a = code(v.x), b = code(v.y), c = code(v.z), d = code(v.w);
    int sum = a + b + c + d;
    for (int bits = 4; bits > 0; bits /= 2) sum += __shfl_xor_sync(~0u, sum, bits);
    float scale = some ? largest / 127.0f : 0.0f;
    // What is no number must not look like one: the group's products become NaN.
    const bool finite = fabsf(v.x) + fabsf(v.y) + fabsf(v.z) + fabsf(v.w) < INFINITY;
    const unsigned mine = 0xffu << (threadIdx.x / 8 % 4 * 8);
    if ((__ballot_sync(~0u, !finite) & mine) != 0) scale = NAN;
    if (!writes) return;
    const int lane = threadIdx.x % 8;
    reinterpret_cast<char4*>(q)[lane] = make_char4(static_cast<signed char>(a),
                                                   static_cast<signed char>(b),
                                                   static_cast<signed char>(c),
                                                   static_cast<signed char>(d));
    if (lane == 0) *worth = make_float2(scale, scale * static_cast<float>(sum));
}

// One warp four groups; `groups` of a row exist, the rest of its chunks is zero.
__global__ void quantize_kernel(const float* x, int rows, int inputs, int8_t* q, float2* worth) {
    const int all = (inputs + chunk_inputs - 1) / chunk_inputs * 2;
    const size_t index = (static_cast<size_t>(blockIdx.x) * blockDim.x + threadIdx.x) / 8;
    const bool inside = index < static_cast<size_t>(rows) * all;
    const int row = inside ? static_cast<int>(index / all) : 0, g = static_cast<int>(index % all);
    float4 v = make_float4(0.0f, 0.0f, 0.0f, 0.0f);
    if (inside && g * group < inputs)
        v = reinterpret_cast<const float4*>(x + static_cast<size_t>(row) * inputs +
                                            g * group)[threadIdx.x % 8];
    quantize_group(v, q + index * group, worth + index, inside);
}

// What a block is to do.
struct Tile {
    int matrix, first, count;  // count 0: nothing
};
__device__ __forceinline__ Tile tile_of(const Items& items, int positions, int tile_rows_of_x) {
    if (items.list == nullptr) {
        const int first = blockIdx.y * tile_rows_of_x;
        return {0, first, min(tile_rows_of_x, positions - first)};
    }
    if (static_cast<int>(blockIdx.y) >= *items.count) return {0, 0, 0};
    const Item item = items.list[blockIdx.y];
    return {item.matrix, item.first, item.count};
}

// Shared memory of a block.
template <DType type, int n_tiles, int matrices>
struct Shared {
    static constexpr int x_rows = 8 * n_tiles;
    static constexpr int slab = matrices * layout_of(type).slab_bytes(slab_chunks);  // of one warp
    static constexpr int x_bytes = x_rows * (x_stride + worth_stride);
    static constexpr int rows_bytes = x_rows * 4;  // x's row of each position

    static constexpr int stage(int warps) { return warps * slab + x_bytes; }
    static constexpr int bytes(int warps, int stages) { return rows_bytes + stages * stage(warps); }
};

// acc[m][n]: sums of a row tile of matrix m with rows 8n … 8n + 7 of the block's item.
// `tiles`: this warp's row tiles, nullptr where it has none.
template <DType type, int n_tiles, int matrices, int stages>
__device__ __forceinline__ void accumulate(const unsigned char* const (&tiles)[matrices],
                                           int all_chunks,
                                           const int8_t* q,
                                           const float2* worth,
                                           const int32_t* rows,
                                           const Tile& tile,
                                           unsigned char* shared,
                                           float (&acc)[matrices][n_tiles][4]) {
    using Memory = Shared<type, n_tiles, matrices>;
    constexpr Layout layout = layout_of(type);
    const int warps = blockDim.x / 32, warp = threadIdx.x / 32, lane = threadIdx.x % 32;
    const int g = lane / 4, t = lane % 4;
    const int slabs = (all_chunks + slab_chunks - 1) / slab_chunks;
    const int padded = (tile.count + 7) / 8 * 8;
    auto* source = reinterpret_cast<int32_t*>(shared);
    unsigned char* const first_stage = shared + Memory::rows_bytes;

    for (int i = threadIdx.x; i < padded; i += blockDim.x) {
        const int position = tile.first + i;
        source[i] = i >= tile.count ? -1 : rows == nullptr ? position : rows[position];
    }
    __syncthreads();

    const auto load = [&](int slab) {
        unsigned char* const stage = first_stage + slab % stages * Memory::stage(warps);
        const int chunks = min(slab_chunks, all_chunks - slab * slab_chunks);
        const int pieces = layout.slab_bytes(chunks) / 16;
        for (int m = 0; m < matrices; ++m) {
            if (tiles[m] == nullptr) continue;
            const unsigned char* from =
                tiles[m] + static_cast<size_t>(slab) * layout.slab_bytes(slab_chunks);
            unsigned char* to = stage + warp * Memory::slab + m * layout.slab_bytes(slab_chunks);
            for (int i = lane; i < pieces; i += 32) copy_async(to + 16 * i, from + 16 * i);
        }
        unsigned char* const x_to = stage + warps * Memory::slab;
        for (int i = threadIdx.x; i < padded * 16; i += blockDim.x) {
            const int row = i / 16, piece = i % 16, from = source[row];
            if (piece >= chunks * 4) continue;
            const size_t at =
                (static_cast<size_t>(max(from, 0)) * all_chunks + slab * slab_chunks) *
                chunk_inputs;
            copy_async(x_to + row * x_stride + 16 * piece, q + at + 16 * piece, from >= 0);
        }
        unsigned char* const worth_to = x_to + Memory::x_rows * x_stride;
        for (int i = threadIdx.x; i < padded * 4; i += blockDim.x) {
            const int row = i / 4, piece = i % 4, from = source[row];
            if (piece >= chunks) continue;
            const size_t at =
                (static_cast<size_t>(max(from, 0)) * all_chunks + slab * slab_chunks) * 2;
            copy_async(
                worth_to + row * worth_stride + 16 * piece, worth + at + 2 * piece, from >= 0);
        }
    };

    const auto multiply = [&](int slab) {
        const unsigned char* const stage = first_stage + slab % stages * Memory::stage(warps);
        const int chunks = min(slab_chunks, all_chunks - slab * slab_chunks);
        const unsigned char* const x_from = stage + warps * Memory::slab;
        const unsigned char* const worth_from = x_from + Memory::x_rows * x_stride;
        const unsigned char* const own = stage + warp * Memory::slab;
#pragma unroll
        for (int m = 0; m < matrices; ++m) {
            const Slab<type> parts(own + m * layout.slab_bytes(slab_chunks), chunks);
            const RowScales<type> upper(parts.scales, g), lower(parts.scales, g + 8);
#pragma unroll 1
            for (int chunk = 0; chunk < chunks; ++chunk) {
                const LaneCodes<type> codes(parts, chunk, lane);
                const auto one_group = [&]<int j>() {
                    uint32_t a[4];
                    codes.template group_of<j>(a);
                    const Worth w0 = upper.of(2 * chunk + j), w1 = lower.of(2 * chunk + j);
                    const unsigned char* const x_at =
                        x_from + chunk * chunk_inputs + j * group + 8 * t;
                    const unsigned char* const worth_at = worth_from + (2 * chunk + j) * 8;
#pragma unroll
                    for (int n = 0; n < n_tiles; ++n) {
                        if (8 * n >= tile.count) break;
                        const uint2 pair =
                            *reinterpret_cast<const uint2*>(x_at + (8 * n + g) * x_stride);
                        const uint32_t b[2] = {pair.x, pair.y};
                        const float2 s0 = *reinterpret_cast<const float2*>(
                            worth_at + (8 * n + 2 * t) * worth_stride);
                        const float2 s1 = *reinterpret_cast<const float2*>(
                            worth_at + (8 * n + 2 * t + 1) * worth_stride);
                        float (&out)[4] = acc[m][n];
                        const auto add =
                            [&](const uint32_t (&codes_of_half)[4], float d0, float d1) {
                                int sum[4] = {magic, magic, magic, magic};
                                mma_s8(sum, codes_of_half, b);
                                out[0] += (__int_as_float(sum[0]) - magic_float) * (d0 * s0.x);
                                out[1] += (__int_as_float(sum[1]) - magic_float) * (d0 * s1.x);
                                out[2] += (__int_as_float(sum[2]) - magic_float) * (d1 * s0.x);
                                out[3] += (__int_as_float(sum[3]) - magic_float) * (d1 * s1.x);
                            };
                        if constexpr (layout_of(type).scales == Scales::k16) {
                            // Lanes with t < 2 hold inputs 0 … 15 of the group.
                            const uint32_t keep = t < 2 ? ~0u : 0u;
                            const uint32_t left[4] = {
                                a[0] & keep, a[1] & keep, a[2] & keep, a[3] & keep};
                            const uint32_t right[4] = {
                                a[0] & ~keep, a[1] & ~keep, a[2] & ~keep, a[3] & ~keep};
                            add(left, w0.d[0], w1.d[0]);
                            add(right, w0.d[1], w1.d[1]);
                        } else {
                            add(a, w0.d[0], w1.d[0]);
                        }
                        if constexpr (layout_of(type).mins()) {
                            out[0] += w0.m * s0.y;
                            out[1] += w0.m * s1.y;
                            out[2] += w1.m * s0.y;
                            out[3] += w1.m * s1.y;
                        }
                    }
                };
                one_group.template operator()<0>();
                one_group.template operator()<1>();
            }
        }
    };

    for (int slab = 0; slab < stages - 1; ++slab) {
        if (slab < slabs) load(slab);
        copy_commit();
    }
    for (int slab = 0; slab < slabs; ++slab) {
        copy_wait<stages - 2>();
        __syncthreads();  // this slab has come, and nobody reads the one that the next load
                          // replaces
        if (slab + stages - 1 < slabs) load(slab + stages - 1);
        copy_commit();
        if (tiles[0] != nullptr) multiply(slab);
    }
    __syncthreads();
}

template <DType type, int n_tiles, int stages>
__global__ void __launch_bounds__(256) product_kernel(Weights w,
                                                      const int8_t* q,
                                                      const float2* worth,
                                                      const int32_t* rows,
                                                      Items items,
                                                      float* out,
                                                      int positions) {
    SFUMATO_DYNAMIC_SHARED(shared);
    const Tile tile = tile_of(items, positions, 8 * n_tiles);
    if (tile.count <= 0) return;
    const int row_tile = blockIdx.x * (blockDim.x / 32) + threadIdx.x / 32;
    const bool inside = row_tile * tile_rows < w.outputs;
    const unsigned char* const tiles[1] = {
        inside ? w.matrix(tile.matrix) + row_tile * layout_of(type).tile_bytes(w.inputs) : nullptr};
    float acc[1][n_tiles][4] = {};
    accumulate<type, n_tiles, 1, stages>(
        tiles, (w.inputs + chunk_inputs - 1) / chunk_inputs, q, worth, rows, tile, shared, acc);
    if (!inside) return;
    const int g = threadIdx.x % 32 / 4, t = threadIdx.x % 4, row = row_tile * tile_rows + g;
#pragma unroll
    for (int n = 0; n < n_tiles; ++n)
        for (int i = 0; i < 4; ++i) {
            const int position = 8 * n + 2 * t + i % 2, output = row + i / 2 * 8;
            if (position < tile.count && output < w.outputs)
                out[static_cast<size_t>(tile.first + position) * w.outputs + output] = acc[0][n][i];
        }
}

// Four warps: 64 outputs of the gate and the same of the up matrix, so that the product of both
// needs nothing from elsewhere and two groups of 32 are quantised here.
constexpr int gate_warps = 4, gate_outputs = gate_warps * tile_rows;
constexpr int activated_stride = gate_outputs + 4;

template <DType type, int stages>
__global__ void __launch_bounds__(32 * gate_warps, 2) gate_up_kernel(Weights gate,
                                                                     Weights up,
                                                                     const int8_t* q,
                                                                     const float2* worth,
                                                                     const int32_t* rows,
                                                                     Items items,
                                                                     int8_t* out,
                                                                     float2* out_worth,
                                                                     int positions) {
    constexpr int n_tiles = item_rows / 8;
    SFUMATO_DYNAMIC_SHARED(shared);
    const Tile tile = tile_of(items, positions, item_rows);
    if (tile.count <= 0) return;
    const int warp = threadIdx.x / 32, row_tile = blockIdx.x * gate_warps + warp;
    const bool inside = row_tile * tile_rows < gate.outputs;
    const size_t at = row_tile * layout_of(type).tile_bytes(gate.inputs);
    const unsigned char* const tiles[2] = {inside ? gate.matrix(tile.matrix) + at : nullptr,
                                           inside ? up.matrix(tile.matrix) + at : nullptr};
    float acc[2][n_tiles][4] = {};
    accumulate<type, n_tiles, 2, stages>(
        tiles, (gate.inputs + chunk_inputs - 1) / chunk_inputs, q, worth, rows, tile, shared, acc);

    auto* activated = reinterpret_cast<float*>(shared);  // [item_rows, activated_stride]
    const int g = threadIdx.x % 32 / 4, t = threadIdx.x % 4;
#pragma unroll
    for (int n = 0; n < n_tiles; ++n)
        for (int i = 0; i < 4; ++i)
            activated[(8 * n + 2 * t + i % 2) * activated_stride + warp * tile_rows + g +
                      i / 2 * 8] = gelu(acc[0][n][i]) * acc[1][n][i];
    __syncthreads();
    const int chunks = (gate.outputs + chunk_inputs - 1) / chunk_inputs;
    constexpr int groups = gate_outputs / group;
    for (int i = threadIdx.x / 8; i < item_rows * groups; i += blockDim.x / 8) {
        const int position = i / groups, g_in = i % groups;
        const float4 v = *reinterpret_cast<const float4*>(activated + position * activated_stride +
                                                          g_in * group + threadIdx.x % 8 * 4);
        const size_t index =
            static_cast<size_t>(tile.first + position) * chunks * 2 + blockIdx.x * groups + g_in;
        quantize_group(v, out + index * group, out_worth + index, position < tile.count);
    }
}

__global__ void geglu_kernel(float* gate, const float* up, size_t count) {
    const size_t i = static_cast<size_t>(blockIdx.x) * blockDim.x + threadIdx.x;
    if (i < count) gate[i] = gelu(gate[i]) * up[i];
}

// Matrices of floats are small or rare: 32 × 32 outputs a block, all in f32.
constexpr int float_tile = 32;

template <DType type>
__global__ void float_product_kernel(
    Weights w, const float* x, const int32_t* rows, Items items, float* out, int positions) {
    __shared__ float x_tile[float_tile][float_tile + 1], w_tile[float_tile][float_tile + 1];
    const Tile tile = tile_of(items, positions, float_tile);
    if (tile.count <= 0) return;
    const unsigned char* const data = w.matrix(tile.matrix);
    const int tx = threadIdx.x % 16, ty = threadIdx.x / 16, first_output = blockIdx.x * float_tile;
    float acc[2][2] = {};
    for (int k = 0; k < w.inputs; k += float_tile) {
        for (int i = threadIdx.x; i < float_tile * float_tile; i += blockDim.x) {
            const int r = i / float_tile, c = i % float_tile, input = k + c,
                      output = first_output + r;
            const bool in_x = r < tile.count && input < w.inputs,
                       in_w = output < w.outputs && input < w.inputs;
            const int position = tile.first + r;
            const int from = !in_x ? 0 : rows == nullptr ? position : rows[position];
            x_tile[r][c] = in_x ? x[static_cast<size_t>(from) * w.inputs + input] : 0.0f;
            w_tile[r][c] =
                in_w ? float_at<type>(data, static_cast<size_t>(output) * w.inputs + input) : 0.0f;
        }
        __syncthreads();
        for (int c = 0; c < float_tile; ++c)
            for (int i = 0; i < 2; ++i)
                for (int j = 0; j < 2; ++j)
                    acc[i][j] += x_tile[ty + 16 * i][c] * w_tile[tx + 16 * j][c];
        __syncthreads();
    }
    for (int i = 0; i < 2; ++i)
        for (int j = 0; j < 2; ++j) {
            const int position = ty + 16 * i, output = first_output + tx + 16 * j;
            if (position < tile.count && output < w.outputs)
                out[static_cast<size_t>(tile.first + position) * w.outputs + output] = acc[i][j];
        }
}

template <DType type, int n_tiles, int stages>
void launch_product(const Context& context, const ProductArgs& a) {
    using Memory = Shared<type, n_tiles, 1>;
    const int row_tiles = (a.w.outputs + tile_rows - 1) / tile_rows;
    const auto limit =
        static_cast<int>(std::min<size_t>(stream_of(context).shared_limit(), 99 * 1024));
    int warps = std::min(8, row_tiles);
    while (warps > 1 && Memory::bytes(warps, stages) > limit) --warps;
    const unsigned items = a.items.list != nullptr
                               ? static_cast<unsigned>(a.items.most)
                               : blocks(static_cast<size_t>(a.out.rows), 8 * n_tiles);
    launch(context,
           product_kernel<type, n_tiles, stages>,
           dim3(blocks(static_cast<size_t>(row_tiles), static_cast<size_t>(warps)), items),
           dim3(static_cast<unsigned>(32 * warps)),
           static_cast<size_t>(Memory::bytes(warps, stages)),
           a.w,
           a.x.q,
           a.x.worth,
           a.rows,
           a.items,
           a.out.data,
           a.out.rows);
}

}  // namespace

Activations take_activations(const Context& context, int rows, int inputs) {
    const int chunks = chunks_of(inputs);
    const auto count = static_cast<size_t>(rows) * static_cast<size_t>(chunks);
    return {.x = {},
            .q = context.scratch.take<int8_t>(count * chunk_inputs),
            .worth = context.scratch.take<float2>(count * 2),
            .chunks = chunks};
}

Activations activations(const Context& context, View<const float> x, bool codes) {
    Activations out;
    if (codes) {
        out = take_activations(context, x.rows, x.width);
        launch(context,
               quantize_kernel,
               dim3(blocks(static_cast<size_t>(x.rows) * static_cast<size_t>(out.chunks) * 2, 32)),
               dim3(256),
               0,
               x.data,
               x.rows,
               x.width,
               const_cast<int8_t*>(out.q),
               const_cast<float2*>(out.worth));
    }
    out.x = x;
    return out;
}

void product(const Context& context, const ProductArgs& a) {
    if (!has_codes(a.type)) {
        const unsigned items = a.items.list != nullptr
                                   ? static_cast<unsigned>(a.items.most)
                                   : blocks(static_cast<size_t>(a.out.rows), float_tile);
        with_float_type(a.type, [&]<DType type>() {
            launch(context,
                   float_product_kernel<type>,
                   dim3(blocks(static_cast<size_t>(a.w.outputs), float_tile), items),
                   dim3(256),
                   0,
                   a.w,
                   a.x.x.data,
                   a.rows,
                   a.items,
                   a.out.data,
                   a.out.rows);
        });
        return;
    }
    with_codes(a.type, [&]<DType type>() {
        if (a.items.list != nullptr || a.out.rows <= item_rows)
            launch_product<type, item_rows / 8, 3>(context, a);
        else
            launch_product<type, 8, 2>(context, a);
    });
}

Activations gate_up(const Context& context, const GateUpArgs& a) {
    const int ffn = a.gate.outputs;
    if (a.gate_type == a.up_type && has_codes(a.gate_type) && a.codes) {
        const Activations out = take_activations(context, a.positions, ffn);
        with_codes(a.gate_type, [&]<DType type>() {
            using Memory = Shared<type, item_rows / 8, 2>;
            constexpr int stages = Memory::bytes(gate_warps, 3) <= 99 * 1024 ? 3 : 2;
            static_assert(Memory::bytes(gate_warps, stages) <= 99 * 1024);
            const unsigned items = a.items.list != nullptr
                                       ? static_cast<unsigned>(a.items.most)
                                       : blocks(static_cast<size_t>(a.positions), item_rows);
            launch(context,
                   gate_up_kernel<type, stages>,
                   dim3(blocks(static_cast<size_t>(ffn), gate_outputs), items),
                   dim3(32 * gate_warps),
                   static_cast<size_t>(Memory::bytes(gate_warps, stages)),
                   a.gate,
                   a.up,
                   a.x.q,
                   a.x.worth,
                   a.rows,
                   a.items,
                   const_cast<int8_t*>(out.q),
                   const_cast<float2*>(out.worth),
                   a.positions);
        });
        return out;
    }
    const View<float> gate = context.scratch.take<float>(a.positions, ffn);
    const View<float> up = context.scratch.take<float>(a.positions, ffn);
    product(context,
            {.type = a.gate_type,
             .w = a.gate,
             .x = a.x,
             .rows = a.rows,
             .items = a.items,
             .out = gate});
    product(context,
            {.type = a.up_type, .w = a.up, .x = a.x, .rows = a.rows, .items = a.items, .out = up});
    launch(context,
           geglu_kernel,
           dim3(blocks(gate.size(), 256)),
           dim3(256),
           0,
           gate.data,
           static_cast<const float*>(up.data),
           gate.size());
    return activations(context, gate, a.codes);
}

}  // namespace sfumato::cuda
