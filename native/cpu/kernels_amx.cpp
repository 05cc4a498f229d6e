// The fast product of a panel in AMX tiles: one instruction multiplies 16 rows of activations with
// 16 outputs over a group of inputs. Tiles only sum; scales are applied to each group's sums with
// AVX-512.
#include "cpu/vector_512.h"

#ifdef SFUMATO_EMULATE_AMX
#include "cpu/emulated_tiles.h"
#endif

#include <algorithm>

namespace {
using Vec = Vec512;
}

#include "cpu/kernels.h"
#include "cpu/slab_kernel.h"

namespace sfumato::cpu {
namespace {

constexpr int tile_rows = 16, tile_outputs = 16;

// What ldtilecfg reads.
struct alignas(64) TileShapes {
    uint8_t palette = 1, first_row = 0, reserved[14] = {};
    uint16_t row_bytes[16] = {};
    uint8_t rows[16] = {};

    void set(int tile, int count, int bytes) {
        rows[tile] = static_cast<uint8_t>(count);
        row_bytes[tile] = static_cast<uint16_t>(bytes);
    }
};

// The instructions name their registers, so these are macros. Two sets, so that one product need
// not wait for the other: sums, activations and codes of whole blocks (FULL) and of the last block
// (LAST).
#define SFUMATO_FULL_SUMS_0 0
#define SFUMATO_FULL_SUMS_1 1
#define SFUMATO_FULL_X_0 2
#define SFUMATO_FULL_X_1 3
#define SFUMATO_LAST_SUMS 4
#define SFUMATO_LAST_X 5
#define SFUMATO_CODES_0 6
#define SFUMATO_CODES_1 7

// sums [rows][16] = Σ_k x [rows][k] · codes [k / 4][16][k % 4]
#define SFUMATO_PRODUCT(SUMS, X, CODES, x, codes, sums)                             \
    do {                                                                            \
        _tile_zero(SUMS);                                                           \
        _tile_loadd(X, x, slab_inputs);                                             \
        _tile_loadd(CODES, codes, 4 * panel_outputs);                               \
        _tile_dpbssd(SUMS, X, CODES);                                               \
        _tile_stored(SUMS, sums, static_cast<int>(sizeof(int32_t)) * tile_outputs); \
    } while (false)

template <bool last>
inline void product(int set, const int8_t* x, const int8_t* codes, int32_t* sums) {
    if constexpr (last)
        SFUMATO_PRODUCT(SFUMATO_LAST_SUMS, SFUMATO_LAST_X, SFUMATO_CODES_0, x, codes, sums);
    else if (set == 0)
        SFUMATO_PRODUCT(SFUMATO_FULL_SUMS_0, SFUMATO_FULL_X_0, SFUMATO_CODES_0, x, codes, sums);
    else
        SFUMATO_PRODUCT(SFUMATO_FULL_SUMS_1, SFUMATO_FULL_X_1, SFUMATO_CODES_1, x, codes, sums);
}

// gcc's intrinsics do not say what they read: this says that all of it must be written before.
inline void written([[maybe_unused]] const void* memory) {
#ifdef __GNUC__
    __asm__ volatile("" : : "r"(memory) : "memory");
#endif
}

// Up to 16 rows over one slab, side by side and signed, as tiles read them.
struct alignas(64) Activations {
    int8_t q[tile_rows][slab_inputs];
    float scale[tile_rows][slab_groups];
    float sum[tile_rows][slab_groups];

    // Rows from `count` to `padded` are zero.
    void take(
        const Rows& x, const int32_t* rows, int first, int count, int padded, int k, int groups) {
        const Vec::Ints sign = Vec::set8(-128);
        const auto bytes = sizeof(float) * static_cast<size_t>(groups);
        for (int r = 0; r < padded; ++r) {
            if (r >= count) {
                std::memset(q[r], 0, sizeof q[r]);
                std::memset(scale[r], 0, sizeof scale[r]);
                std::memset(sum[r], 0, sizeof sum[r]);
                continue;
            }
            const ptrdiff_t row = rows == nullptr ? first + r : rows[first + r];
            const int8_t* from = x.q + row * x.inputs + k;
            const ptrdiff_t at = row * (x.inputs / group) + k / group;
            int i = 0;
            for (; i + 64 <= groups * group; i += 64)
                Vec::store(q[r] + i, _mm512_xor_si512(Vec::load(from + i), sign));
            if (i < groups * group) {
                const __m256i half = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from + i));
                _mm256_storeu_si256(reinterpret_cast<__m256i*>(q[r] + i),
                                    _mm256_xor_si256(half, _mm512_castsi512_si256(sign)));
            }
            std::memcpy(scale[r], x.scale + at, bytes);
            std::memcpy(sum[r], x.sum + at, bytes);
        }
    }
};

// Adds the products of a slab with R rows to acc [R][32]. The tiles work a group ahead of the
// floats.
template <DType type, int R, bool last>
void multiply(const Slab& slab, int groups, const Activations& x, float* acc) {
    constexpr PackFormat f = pack_format(type);
    constexpr int halves = f.halves() ? 2 : 1;
    alignas(64) int32_t sums[2][halves][tile_rows][tile_outputs];
    for (int o = 0; o < panel_outputs; o += tile_outputs) {
        const auto begin = [&](int g) {
            for (int half = 0; half < halves; ++half)
                product<last>(halves == 2 ? half : g % 2,
                              x.q[0] + g * group + half * (group / 2),
                              slab.codes[g] + half * 512 + o * 4,
                              sums[g % 2][half][0]);
        };
        Vec::Floats y[R];
#pragma GCC unroll 16
        for (int r = 0; r < R; ++r) y[r] = Vec::loadf(acc + r * panel_outputs + o);
        begin(0);
        for (int g = 0; g < groups; ++g) {
            if (g + 1 < groups) begin(g + 1);
            const auto d = Vec::loadf(slab.d[g][0] + o);
            const auto e = Vec::loadf(slab.d[g][halves - 1] + o);
            const auto& s = sums[g % 2];
#pragma GCC unroll 16
            for (int r = 0; r < R; ++r) {
                auto part = Vec::mul(Vec::to_float(Vec::load(s[0][r])), d);
                if constexpr (f.halves())
                    part = Vec::fma(Vec::to_float(Vec::load(s[halves - 1][r])), e, part);
                y[r] = Vec::fma(part, Vec::broadcastf(x.scale[r] + g), y[r]);
            }
            if constexpr (f.mins()) {
                const auto m = Vec::loadf(slab.m[g] + o);
#pragma GCC unroll 16
                for (int r = 0; r < R; ++r)
                    y[r] = Vec::fnma(Vec::broadcastf(x.sum[r] + g), m, y[r]);
            }
        }
#pragma GCC unroll 16
        for (int r = 0; r < R; ++r) Vec::storef(acc + r * panel_outputs + o, y[r]);
    }
}

template <DType type>
void gemm(const GemmArgs& a) {
    constexpr PackFormat f = pack_format(type);
    constexpr int inputs = f.halves() ? group / 2 : group;  // of one product
    Slab slab;
    Activations x;
    alignas(64) float acc[max_rows * panel_outputs];
    // Blocks of 16 rows; the last one in multiples of four.
    const int last = a.count % tile_rows, last_padded = (last + 3) / 4 * 4;
    TileShapes shapes;
    for (int tile : {SFUMATO_FULL_SUMS_0, SFUMATO_FULL_SUMS_1})
        shapes.set(tile, tile_rows, 4 * tile_outputs);
    for (int tile : {SFUMATO_FULL_X_0, SFUMATO_FULL_X_1}) shapes.set(tile, tile_rows, inputs);
    for (int tile : {SFUMATO_CODES_0, SFUMATO_CODES_1})
        shapes.set(tile, inputs / 4, 4 * tile_outputs);
    if (last != 0) {
        shapes.set(SFUMATO_LAST_SUMS, last_padded, 4 * tile_outputs);
        shapes.set(SFUMATO_LAST_X, last_padded, inputs);
    }
    written(&shapes);
    _tile_loadconfig(&shapes);
    for (int first = 0; first < a.count; first += max_rows) {
        const int count = std::min(max_rows, a.count - first);
        const uint8_t* packed = a.panel;
        std::memset(
            acc, 0, sizeof(float) * static_cast<size_t>((count + 3) / 4 * 4 * panel_outputs));
        for (int k = 0; k < a.x.inputs; k += slab_inputs) {
            const int groups = std::min(slab_groups, (a.x.inputs - k) / group);
            unpack_slab<type, false>(packed, groups, slab);
            packed += f.slab_bytes(groups);
            const bool end = k + slab_inputs >= a.x.inputs && first + max_rows >= a.count;
            const uint8_t* next = end && a.next != nullptr ? a.next : packed;
            for (int b = 0; b < count; b += tile_rows) {
                prefetch_part<type>(next, b / tile_rows, (count + tile_rows - 1) / tile_rows);
                const int rows = std::min(tile_rows, count - b), padded = (rows + 3) / 4 * 4;
                x.take(a.x, a.rows, first + b, rows, padded, k, groups);
                written(&x);
                float* to = acc + b * panel_outputs;
                if (rows == tile_rows)
                    multiply<type, 16, false>(slab, groups, x, to);
                else if (padded == 16)
                    multiply<type, 16, true>(slab, groups, x, to);
                else if (padded == 12)
                    multiply<type, 12, true>(slab, groups, x, to);
                else if (padded == 8)
                    multiply<type, 8, true>(slab, groups, x, to);
                else
                    multiply<type, 4, true>(slab, groups, x, to);
            }
        }
        for (int i = 0; i < count; ++i)
            std::memcpy(a.out + static_cast<ptrdiff_t>(first + i) * a.out_stride,
                        acc + i * panel_outputs,
                        sizeof(float) * static_cast<size_t>(a.outputs));
    }
    _tile_release();
}

}  // namespace

void gemm_tiles(DType type, const GemmArgs& a) {
    for_packed_type(type, [&](auto constant) { gemm<constant()>(a); });
}

// Whole tiles, 64 inputs a product.
int64_t dot_product_tiles(const uint8_t* memory, int rounds) {
    TileShapes shapes;
    for (int tile = 0; tile < 8; ++tile) shapes.set(tile, tile_rows, 64);
    written(&shapes);
    _tile_loadconfig(&shapes);
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
    for (int i = 0; i < rounds; ++i) {
        _tile_loadd(4, memory, 64);
        _tile_loadd(5, memory + 1024, 64);
        _tile_loadd(6, memory + 2048, 64);
        _tile_loadd(7, memory + 3072, 64);
        _tile_dpbssd(0, 4, 6);
        _tile_dpbssd(1, 4, 7);
        _tile_dpbssd(2, 5, 6);
        _tile_dpbssd(3, 5, 7);
    }
    alignas(64) int32_t kept[tile_rows * tile_outputs];  // zeros
    _tile_stored(0, kept, 64);
    _tile_release();
    return static_cast<int64_t>(rounds) * 4 * tile_rows * tile_outputs * 64 + kept[0];
}

}  // namespace sfumato::cpu
