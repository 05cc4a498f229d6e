// The fast products in plain C++: for processors that have no file of their own.
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "core/dtype.h"

namespace {

struct Vec {
    struct alignas(64) Ints {
        int32_t words[16];
    };
    struct alignas(64) Floats {
        float v[16];
    };
    static constexpr int lanes = 16, bytes = 64;
    static constexpr int rows_at_once = 4, rows_at_once_halves = 4;
    static constexpr bool needs_signed = false;
    static constexpr int bytes_per_code = 1;

    template <class Operation>
    static Ints words(const Ints& a, const Ints& b, Operation&& operation) {
        Ints out;
        for (int i = 0; i < 16; ++i)
            out.words[i] = static_cast<int32_t>(
                operation(static_cast<uint32_t>(a.words[i]), static_cast<uint32_t>(b.words[i])));
        return out;
    }
    template <class Operation>
    static Ints octets(const Ints& a, Operation&& operation) {
        uint8_t v[64];
        std::memcpy(v, &a, sizeof v);
        for (int i = 0; i < 64; ++i) v[i] = static_cast<uint8_t>(operation(v[i], i));
        Ints out;
        std::memcpy(&out, v, sizeof v);
        return out;
    }

    static Ints zero() { return {}; }
    static Ints set8(int v) {
        Ints out;
        std::memset(&out, v, sizeof out);
        return out;
    }
    static Ints load(const void* p) {
        Ints out;
        std::memcpy(&out, p, sizeof out);
        return out;
    }
    static void store(void* p, const Ints& v) { std::memcpy(p, &v, sizeof v); }
    static Ints and_(const Ints& a, const Ints& b) {
        return words(a, b, [](uint32_t l, uint32_t r) { return l & r; });
    }
    static Ints or_(const Ints& a, const Ints& b) {
        return words(a, b, [](uint32_t l, uint32_t r) { return l | r; });
    }
    static Ints sub8(const Ints& a, const Ints& b) {
        const int subtrahend = b.words[0] & 255;
        return octets(a, [subtrahend](int v, int) { return v - subtrahend; });
    }
    static Ints sub32(const Ints& a, const Ints& b) {
        return words(a, b, [](uint32_t l, uint32_t r) { return l - r; });
    }
    template <int n>
    static Ints shift_left(const Ints& a) {
        return octets(a, [](int v, int) { return v << n; });
    }
    template <int n>
    static Ints shift_right(const Ints& a) {
        return octets(a, [](int v, int) { return v >> n; });
    }
    static const int8_t* table(const int8_t* values) { return values; }
    static Ints look_up(const int8_t* table, const Ints& code) {
        return octets(code, [table](int v, int) { return table[v & 15]; });
    }
    static Ints add_128_times(Ints sum, const Ints& code) {
        int8_t v[64];
        std::memcpy(v, &code, sizeof v);
        for (int i = 0; i < 16; ++i)
            for (int j = 0; j < 4; ++j) sum.words[i] += 128 * v[4 * i + j];
        return sum;
    }
    template <int bits>
    static void split(int8_t* p, const Ints& code) {
        store(p, code);
    }

    static Floats loadf(const float* p) {
        Floats out;
        std::memcpy(&out, p, sizeof out);
        return out;
    }
    static void storef(float* p, const Floats& v) { std::memcpy(p, &v, sizeof v); }
    static Floats broadcastf(const float* p) {
        Floats out;
        for (float& v : out.v) v = *p;
        return out;
    }
    static Floats to_float(const Ints& a) {
        Floats out;
        for (int i = 0; i < 16; ++i) out.v[i] = static_cast<float>(a.words[i]);
        return out;
    }
    static Floats mul(const Floats& a, const Floats& b) {
        Floats out;
        for (int i = 0; i < 16; ++i) out.v[i] = a.v[i] * b.v[i];
        return out;
    }
    static Floats fma(const Floats& a, const Floats& b, Floats c) {
        for (int i = 0; i < 16; ++i) c.v[i] += a.v[i] * b.v[i];
        return c;
    }
    static Floats fnma(const Floats& a, const Floats& b, Floats c) {
        for (int i = 0; i < 16; ++i) c.v[i] -= a.v[i] * b.v[i];
        return c;
    }
    static void halves(const uint8_t* from, float* to) {
        for (int i = 0; i < 32; ++i) {
            uint16_t h;
            std::memcpy(&h, from + 2 * i, sizeof h);
            to[i] = sfumato::half_to_float(h);
        }
    }

    template <int bits, int R, int first, int last>
    static void dot(Ints (&sums)[R][2], const uint8_t* const (&q)[R], int at, const int8_t* codes) {
        for (int step = first; step < last; ++step)
            for (int r = 0; r < R; ++r) {
                const uint8_t* x = q[r] + at + step * 4;
                const int x0 = x[0], x1 = x[1], x2 = x[2], x3 = x[3];
                for (int side = 0; side < 2; ++side) {
                    const int8_t* w = codes + step * 128 + side * 64;
                    int32_t* sum = sums[r][side].words;
                    for (int i = 0; i < 16; ++i)
                        sum[i] += x0 * w[4 * i] + x1 * w[4 * i + 1] + x2 * w[4 * i + 2] +
                                  x3 * w[4 * i + 3];
                }
            }
    }

    template <class Operation>
    static Floats each(const Floats& a, const Floats& b, Operation&& operation) {
        Floats out;
        for (int i = 0; i < 16; ++i) out.v[i] = operation(a.v[i], b.v[i]);
        return out;
    }
    static Floats add(const Floats& a, const Floats& b) {
        return each(a, b, [](float l, float r) { return l + r; });
    }
    static Floats sub(const Floats& a, const Floats& b) {
        return each(a, b, [](float l, float r) { return l - r; });
    }
    static Floats div(const Floats& a, const Floats& b) {
        return each(a, b, [](float l, float r) { return l / r; });
    }
    static Floats min(const Floats& a, const Floats& b) {
        return each(a, b, [](float l, float r) { return l < r ? l : r; });
    }
    static Floats max(const Floats& a, const Floats& b) {
        return each(a, b, [](float l, float r) { return l > r ? l : r; });
    }
    using Whole = Ints;  // whole numbers
    // Within ±2^22; a NaN becomes some number.
    static Whole nearest(const Floats& a) {
        constexpr float round = 12582912.0f;  // 1.5 · 2^23: adding it rounds to whole numbers
        Ints out;
        for (int i = 0; i < 16; ++i)
            out.words[i] = std::bit_cast<int32_t>(a.v[i] + round) - std::bit_cast<int32_t>(round);
        return out;
    }
    static Floats times_power_of_two(Floats a, const Whole& n) {
        for (int i = 0; i < 16; ++i)
            a.v[i] *= std::bit_cast<float>(static_cast<uint32_t>(n.words[i] + 127) << 23);
        return a;
    }
    using Mask = Ints;
    static Mask greater(const Floats& a, const Floats& b) {
        Mask out;
        for (int i = 0; i < 16; ++i) out.words[i] = a.v[i] > b.v[i] ? -1 : 0;
        return out;
    }
    static Mask not_less(const Floats& a, const Floats& b) {
        Mask out;
        for (int i = 0; i < 16; ++i) out.words[i] = a.v[i] >= b.v[i] ? -1 : 0;
        return out;
    }
    static bool any(const Mask& m) {
        int32_t all = 0;
        for (int32_t word : m.words) all |= word;
        return all != 0;
    }
    static uint32_t bits(const Mask& m) {
        uint32_t out = 0;
        for (int i = 0; i < 16; ++i) out |= m.words[i] != 0 ? 1u << i : 0u;
        return out;
    }
    static Floats select(const Mask& m, const Floats& yes, const Floats& no) {
        Floats out;
        for (int i = 0; i < 16; ++i) out.v[i] = m.words[i] != 0 ? yes.v[i] : no.v[i];
        return out;
    }
    static Ints select(const Mask& m, const Ints& yes, const Ints& no) {
        Ints out;
        for (int i = 0; i < 16; ++i) out.words[i] = m.words[i] != 0 ? yes.words[i] : no.words[i];
        return out;
    }
    static Ints count_from(int first) {
        Ints out;
        for (int i = 0; i < 16; ++i) out.words[i] = first + i;
        return out;
    }
    static float sum(Floats a) {
        for (int width = 8; width > 0; width /= 2)
            for (int i = 0; i < width; ++i) a.v[i] += a.v[i + width];
        return a.v[0];
    }
    // out[i] = sum of a[i]
    template <int n>
    static void store_sums(float* out, const Floats (&a)[n]) {
        for (int i = 0; i < n; ++i) out[i] = sum(a[i]);
    }
    static float largest(Floats a) {
        for (int width = 8; width > 0; width /= 2)
            for (int i = 0; i < width; ++i)
                a.v[i] = a.v[i] > a.v[i + width] ? a.v[i] : a.v[i + width];
        return a.v[0];
    }
    static Floats load_halves(const void* p) {
        Floats out;
        for (int i = 0; i < 16; ++i) out.v[i] = half(static_cast<const uint8_t*>(p) + 2 * i);
        return out;
    }
    static float half(const uint8_t* p) {
        uint16_t bits;
        std::memcpy(&bits, p, sizeof bits);
        return sfumato::half_to_float(bits);
    }
    static constexpr int dot_outputs = 2;

    static void quantize(const float* x, int8_t* q, float* scale, float* sum) {
        float largest = 0.0f;
        for (int i = 0; i < 32; ++i)
            largest = std::fabs(x[i]) > largest ? std::fabs(x[i]) : largest;
        const bool some = largest > 1e-30f;
        const float inverse = some ? 127.0f / largest : 0.0f;
        int total = 0;
        for (int i = 0; i < 32; ++i) {
            const float v = x[i] * inverse;  // a NaN becomes -127, like infinities something finite
            const float limited = v > -127.0f ? (v < 127.0f ? v : 127.0f) : -127.0f;
            const int code = static_cast<int>(std::nearbyint(limited));
            total += code;
            q[i] = static_cast<int8_t>(static_cast<uint8_t>(code + 128));
        }
        *scale = some ? largest / 127.0f : 0.0f;
        *sum = *scale * static_cast<float>(total);
    }
};

}  // namespace

#include "cpu/attention_kernel.h"
#include "cpu/gemm_kernel.h"
#include "cpu/logits_kernel.h"
#include "cpu/unpack_kernel.h"
#include "cpu/vector_kernel.h"

namespace sfumato::cpu {
const Kernels portable_kernels{.gemm = gemm_any<Slab>,
                               .quantize = quantize,
                               .unpack = unpack_any,
                               .float_product = float_product,
                               .add_weighted = add_weighted,
                               .geglu = geglu,
                               .add_logits = add_logits,
                               .attention = attention,
                               .dot_products = dot_products};
}  // namespace sfumato::cpu
