// Types of a model file's tensors (MODEL.md section 5): ids, block sizes and values of a row.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>

namespace sfumato {

// The numbers are those of the file format.
enum class DType : int32_t {
    f32 = 0,
    f16 = 1,
    q4_0 = 2,
    q4_1 = 3,
    q5_0 = 6,
    q5_1 = 7,
    q8_0 = 8,
    q4_k = 12,
    q5_k = 13,
    q6_k = 14,
    iq4_nl = 20,
    iq4_xs = 23,
    bf16 = 30,
    mxfp4 = 39,
};

// A row is a whole number of blocks of `elements` values in `bytes` bytes.
struct Block {
    const char* name;
    int elements;
    int bytes;
};

// Whether `type` is one of DType's numbers.
bool is_dtype(int64_t type);

Block block_of(DType type);

size_t row_bytes(DType type, int64_t elements);

// `elements` is a multiple of the block's.
void dequantize_row(DType type, const std::byte* row, int64_t elements, float* out);

// Values of the 4-bit codes of IQ4_NL and IQ4_XS, and twice those of MXFP4 (E2M1).
inline constexpr int8_t iq4_values[16] = {
    -127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113};
inline constexpr int8_t mxfp4_values[16] = {
    0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};

// 2^(e - 128), the scale that goes with the doubled values above; e < 2 gives a denormal.
constexpr float mxfp4_scale(uint8_t e) {
    const uint32_t bits = e < 2 ? 0x00200000u << e : static_cast<uint32_t>(e - 1) << 23;
    return std::bit_cast<float>(bits);
}

// 6-bit scale and minimum of sub-block j (0 … 7) from the 12 bytes of Q4_K and Q5_K.
struct ScaleMin {
    uint8_t scale;
    uint8_t min;
};
constexpr ScaleMin k_scale_min(int j, const uint8_t* s) {
    if (j < 4) return {static_cast<uint8_t>(s[j] & 63), static_cast<uint8_t>(s[j + 4] & 63)};
    return {static_cast<uint8_t>((s[j + 4] & 15) | ((s[j - 4] >> 6) << 4)),
            static_cast<uint8_t>((s[j + 4] >> 4) | ((s[j] >> 6) << 4))};
}

constexpr float half_to_float(uint16_t h) {
    const uint32_t sign = static_cast<uint32_t>(h & 0x8000u) << 16;
    const uint32_t magnitude = h & 0x7fffu;
    if (magnitude < 0x0400u) {  // zero or denormal: magnitude · 2^-24, exact in f32
        const float value = static_cast<float>(magnitude) * 0x1p-24f;
        return std::bit_cast<float>(std::bit_cast<uint32_t>(value) | sign);
    }
    if (magnitude >= 0x7c00u) return std::bit_cast<float>(sign | 0x7f800000u | (magnitude << 13));
    return std::bit_cast<float>(sign | ((magnitude << 13) + (112u << 23)));
}

// To nearest, ties to even; beyond the largest half: infinity.
constexpr uint16_t float_to_half(float x) {
    const uint32_t bits = std::bit_cast<uint32_t>(x);
    const auto sign = static_cast<uint16_t>((bits >> 16) & 0x8000u);
    const uint32_t magnitude = bits & 0x7fffffffu;
    if (magnitude > 0x7f800000u) return static_cast<uint16_t>(sign | 0x7e00u);
    if (magnitude >= 0x477ff000u) return static_cast<uint16_t>(sign | 0x7c00u);
    if (magnitude <
        0x38800000u) {  // below 2^-14: adding 0.5 leaves round(|x| · 2^24) in the low bits
        const float shifted = std::bit_cast<float>(magnitude) + 0.5f;
        return static_cast<uint16_t>(sign | (std::bit_cast<uint32_t>(shifted) - 0x3f000000u));
    }
    const uint32_t odd = (magnitude >> 13) & 1u;
    return static_cast<uint16_t>(sign | ((magnitude - (112u << 23) + 0x0fffu + odd) >> 13));
}

constexpr float bf16_to_float(uint16_t b) {
    return std::bit_cast<float>(static_cast<uint32_t>(b) << 16);
}

}  // namespace sfumato
