// Functions of a float that a compiler turns into vector code, errors below 2e-7 of the result's
// scale.
#pragma once

#include <bit>
#include <cstdint>

namespace sfumato::cpu {

// Cephes' exp: x = n·ln 2 + r, polynomial in r. Below -87 it stays at e^-87, which no sum here can
// feel.
inline float exp_f(float x) {
    x = x < -87.0f ? -87.0f : x;
    x = x > 88.0f ? 88.0f : x;
    constexpr float round = 12582912.0f;  // 1.5 · 2^23: adding it rounds to whole numbers
    const float shifted = x * 1.44269504f + round;
    const float n = shifted - round;
    const float r = (x - n * 0.693359375f) - n * -2.12194440e-4f;
    float p = 1.9875691500e-4f;
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * (r * r) + r + 1.0f;
    const int32_t exponent = std::bit_cast<int32_t>(shifted) - std::bit_cast<int32_t>(round);
    return p * std::bit_cast<float>((exponent + 127) << 23);
}

inline float tanh_f(float x) { return 1.0f - 2.0f / (exp_f(2.0f * x) + 1.0f); }

// tanh form of GELU (MODEL.md 2.3).
inline float gelu(float z) {
    return 0.5f * z * (1.0f + tanh_f(0.7978845608f * (z + 0.044715f * z * z * z)));
}

// Sums in sixteen lanes: vector code without leave to reorder a plain sum, and more exact than one.
inline float lane_sum(float (&lanes)[16]) {
    for (int width = 8; width > 0; width /= 2)
        for (int j = 0; j < width; ++j) lanes[j] += lanes[j + width];
    return lanes[0];
}

inline float dot(const float* a, const float* b, int n) {
    float lanes[16] = {};
    int i = 0;
    for (; i + 16 <= n; i += 16)
        for (int j = 0; j < 16; ++j) lanes[j] += a[i + j] * b[i + j];
    for (; i < n; ++i) lanes[0] += a[i] * b[i];
    return lane_sum(lanes);
}

}  // namespace sfumato::cpu
