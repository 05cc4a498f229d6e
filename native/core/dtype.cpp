#include "core/dtype.h"

#include <cstring>

namespace sfumato {
namespace {

constexpr Block unknown{"", 1, 0};

constexpr Block find_block(int64_t type) {
    switch (type) {
        case 0: return {"F32", 1, 4};
        case 1: return {"F16", 1, 2};
        case 2: return {"Q4_0", 32, 18};
        case 3: return {"Q4_1", 32, 20};
        case 6: return {"Q5_0", 32, 22};
        case 7: return {"Q5_1", 32, 24};
        case 8: return {"Q8_0", 32, 34};
        case 12: return {"Q4_K", 256, 144};
        case 13: return {"Q5_K", 256, 176};
        case 14: return {"Q6_K", 256, 210};
        case 20: return {"IQ4_NL", 32, 18};
        case 23: return {"IQ4_XS", 256, 136};
        case 30: return {"BF16", 1, 2};
        case 39: return {"MXFP4", 32, 17};
        default: return unknown;
    }
}

uint16_t load16(const uint8_t* p) {
    uint16_t v;
    std::memcpy(&v, p, sizeof v);
    return v;
}

uint32_t load32(const uint8_t* p) {
    uint32_t v;
    std::memcpy(&v, p, sizeof v);
    return v;
}

float half_at(const uint8_t* p) { return half_to_float(load16(p)); }

void q4_0(const uint8_t* b, float* y) {
    const float d = half_at(b);
    for (int j = 0; j < 16; ++j) {
        y[j] = d * static_cast<float>((b[2 + j] & 15) - 8);
        y[j + 16] = d * static_cast<float>((b[2 + j] >> 4) - 8);
    }
}

void q4_1(const uint8_t* b, float* y) {
    const float d = half_at(b), m = half_at(b + 2);
    for (int j = 0; j < 16; ++j) {
        y[j] = d * static_cast<float>(b[4 + j] & 15) + m;
        y[j + 16] = d * static_cast<float>(b[4 + j] >> 4) + m;
    }
}

// Code of 5 bits: a nibble, and bit j of `high`.
float code5(int nibble, uint32_t high, int j) {
    return static_cast<float>(nibble | static_cast<int>(((high >> j) & 1u) << 4));
}

void q5_0(const uint8_t* b, float* y) {
    const float d = half_at(b);
    const uint32_t high = load32(b + 2);
    for (int j = 0; j < 16; ++j) {
        y[j] = d * (code5(b[6 + j] & 15, high, j) - 16.0f);
        y[j + 16] = d * (code5(b[6 + j] >> 4, high, j + 16) - 16.0f);
    }
}

void q5_1(const uint8_t* b, float* y) {
    const float d = half_at(b), m = half_at(b + 2);
    const uint32_t high = load32(b + 4);
    for (int j = 0; j < 16; ++j) {
        y[j] = d * code5(b[8 + j] & 15, high, j) + m;
        y[j + 16] = d * code5(b[8 + j] >> 4, high, j + 16) + m;
    }
}

void q8_0(const uint8_t* b, float* y) {
    const float d = half_at(b);
    for (int j = 0; j < 32; ++j) y[j] = d * static_cast<float>(static_cast<int8_t>(b[2 + j]));
}

void q4_k(const uint8_t* b, float* y) {
    const float d = half_at(b), dmin = half_at(b + 2);
    const uint8_t* codes = b + 16;
    for (int i = 0; i < 4; ++i) {
        const ScaleMin low = k_scale_min(2 * i, b + 4), high = k_scale_min(2 * i + 1, b + 4);
        const float d0 = d * low.scale, m0 = dmin * low.min, d1 = d * high.scale,
                    m1 = dmin * high.min;
        for (int l = 0; l < 32; ++l) {
            const int q = codes[32 * i + l];
            y[64 * i + l] = d0 * static_cast<float>(q & 15) - m0;
            y[64 * i + 32 + l] = d1 * static_cast<float>(q >> 4) - m1;
        }
    }
}

void q5_k(const uint8_t* b, float* y) {
    const float d = half_at(b), dmin = half_at(b + 2);
    const uint8_t* high_bits = b + 16;
    const uint8_t* codes = b + 48;
    for (int i = 0; i < 4; ++i) {
        const ScaleMin low = k_scale_min(2 * i, b + 4), high = k_scale_min(2 * i + 1, b + 4);
        const float d0 = d * low.scale, m0 = dmin * low.min, d1 = d * high.scale,
                    m1 = dmin * high.min;
        for (int l = 0; l < 32; ++l) {
            const int q = codes[32 * i + l];
            y[64 * i + l] = d0 * code5(q & 15, high_bits[l], 2 * i) - m0;
            y[64 * i + 32 + l] = d1 * code5(q >> 4, high_bits[l], 2 * i + 1) - m1;
        }
    }
}

void q6_k(const uint8_t* b, float* y) {
    const float d = half_at(b + 208);
    for (int h = 0; h < 2; ++h) {
        const uint8_t* low = b + 64 * h;
        const uint8_t* high = b + 128 + 32 * h;
        const auto* scale = reinterpret_cast<const int8_t*>(b + 192 + 8 * h);
        for (int l = 0; l < 32; ++l) {
            const int k = l / 16, hi = high[l];
            const int q[4] = {(low[l] & 15) | ((hi & 3) << 4),
                              (low[l + 32] & 15) | (((hi >> 2) & 3) << 4),
                              (low[l] >> 4) | (((hi >> 4) & 3) << 4),
                              (low[l + 32] >> 4) | ((hi >> 6) << 4)};
            for (int i = 0; i < 4; ++i)
                y[128 * h + 32 * i + l] = d * scale[k + 2 * i] * static_cast<float>(q[i] - 32);
        }
    }
}

void iq4_nl(const uint8_t* b, float* y) {
    const float d = half_at(b);
    for (int j = 0; j < 16; ++j) {
        y[j] = d * iq4_values[b[2 + j] & 15];
        y[j + 16] = d * iq4_values[b[2 + j] >> 4];
    }
}

void iq4_xs(const uint8_t* b, float* y) {
    const float d = half_at(b);
    const int scales_high = load16(b + 2);
    for (int k = 0; k < 8; ++k) {
        const int scale =
            ((b[4 + k / 2] >> (4 * (k % 2))) & 15) | (((scales_high >> (2 * k)) & 3) << 4);
        const float dk = d * static_cast<float>(scale - 32);
        for (int j = 0; j < 16; ++j) {
            const int q = b[8 + 16 * k + j];
            y[32 * k + j] = dk * iq4_values[q & 15];
            y[32 * k + 16 + j] = dk * iq4_values[q >> 4];
        }
    }
}

void mxfp4(const uint8_t* b, float* y) {
    const float d = mxfp4_scale(b[0]);
    for (int j = 0; j < 16; ++j) {
        y[j] = d * mxfp4_values[b[1 + j] & 15];
        y[j + 16] = d * mxfp4_values[b[1 + j] >> 4];
    }
}

template <auto decode, DType type>
void blocks(const uint8_t* row, int64_t elements, float* out) {
    constexpr Block block = find_block(static_cast<int64_t>(type));
    for (int64_t i = 0; i < elements; i += block.elements, row += block.bytes) decode(row, out + i);
}

}  // namespace

bool is_dtype(int64_t type) { return find_block(type).bytes != 0; }

Block block_of(DType type) { return find_block(static_cast<int64_t>(type)); }

size_t row_bytes(DType type, int64_t elements) {
    const Block block = block_of(type);
    return static_cast<size_t>(elements / block.elements) * static_cast<size_t>(block.bytes);
}

void dequantize_row(DType type, const std::byte* row, int64_t elements, float* out) {
    const auto* b = reinterpret_cast<const uint8_t*>(row);
    switch (type) {
        case DType::f32: std::memcpy(out, b, static_cast<size_t>(elements) * sizeof(float)); return;
        case DType::f16:
            for (int64_t i = 0; i < elements; ++i) out[i] = half_at(b + 2 * i);
            return;
        case DType::bf16:
            for (int64_t i = 0; i < elements; ++i) out[i] = bf16_to_float(load16(b + 2 * i));
            return;
        case DType::q4_0: return blocks<q4_0, DType::q4_0>(b, elements, out);
        case DType::q4_1: return blocks<q4_1, DType::q4_1>(b, elements, out);
        case DType::q5_0: return blocks<q5_0, DType::q5_0>(b, elements, out);
        case DType::q5_1: return blocks<q5_1, DType::q5_1>(b, elements, out);
        case DType::q8_0: return blocks<q8_0, DType::q8_0>(b, elements, out);
        case DType::q4_k: return blocks<q4_k, DType::q4_k>(b, elements, out);
        case DType::q5_k: return blocks<q5_k, DType::q5_k>(b, elements, out);
        case DType::q6_k: return blocks<q6_k, DType::q6_k>(b, elements, out);
        case DType::iq4_nl: return blocks<iq4_nl, DType::iq4_nl>(b, elements, out);
        case DType::iq4_xs: return blocks<iq4_xs, DType::iq4_xs>(b, elements, out);
        case DType::mxfp4: return blocks<mxfp4, DType::mxfp4>(b, elements, out);
    }
}

}  // namespace sfumato
