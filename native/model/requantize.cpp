#include "model/requantize.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>

#include "core/dtype.h"

namespace sfumato {
namespace {

constexpr int elements = 32, eight_bytes = 34, five_bytes = 22;
constexpr int least = -16, most = 15;  // codes of 5 bits
// Where the largest weight may come to lie. Its own code would be 16, but nearer or beyond the end
// of the range the others may lie better.
constexpr float ends[] = {14.5f, 15.0f, 15.5f, 16.0f, 16.5f, 17.0f};

struct Codes {
    int8_t code[elements];
    int along = 0, own = 0;  // Σ eight · code, Σ code²

    // How much of Σ eight² the best scale leaves: less the larger this is.
    double explained() const { return own == 0 ? 0.0 : static_cast<double>(along) * along / own; }
    float scale() const {
        return own == 0 ? 0.0f : static_cast<float>(along) / static_cast<float>(own);
    }
};

Codes rounded(const int8_t* eight, float factor) {
    Codes out;
    for (int i = 0; i < elements; ++i) {
        const int code = static_cast<int>(std::floor(factor * static_cast<float>(eight[i]) + 0.5f));
        out.code[i] = static_cast<int8_t>(std::clamp(code, least, most));
    }
    for (int i = 0; i < elements; ++i) {
        out.along += eight[i] * out.code[i];
        out.own += out.code[i] * out.code[i];
    }
    return out;
}

Codes best_codes(const int8_t* eight) {
    int largest = 0;
    for (int i = 0; i < elements; ++i)
        if (std::abs(eight[i]) > std::abs(largest)) largest = eight[i];
    Codes best{};
    if (largest == 0) return best;
    for (float end : ends) {
        const Codes codes = rounded(eight, -end / static_cast<float>(largest));
        if (codes.explained() > best.explained()) best = codes;
    }
    return best;
}

}  // namespace

RoundingError q8_0_to_q5_0(std::byte* data, size_t blocks) {
    RoundingError error;
    const auto* from = reinterpret_cast<const uint8_t*>(data);
    auto* to = reinterpret_cast<uint8_t*>(data);
    for (size_t b = 0; b < blocks; ++b, from += eight_bytes, to += five_bytes) {
        uint16_t half;
        int8_t eight[elements];  // the block is overwritten below
        std::memcpy(&half, from, sizeof half);
        std::memcpy(eight, from + 2, sizeof eight);
        const Codes codes = best_codes(eight);
        const float d8 = half_to_float(half);
        const uint16_t d5_half = float_to_half(d8 * codes.scale());
        const float d5 = half_to_float(d5_half);
        uint32_t high = 0;
        uint8_t low[elements / 2] = {};
        for (int i = 0; i < elements; ++i) {
            const double weight = static_cast<double>(d8) * eight[i];
            const double difference = weight - static_cast<double>(d5) * codes.code[i];
            error.weights += weight * weight;
            error.difference += difference * difference;
            const auto code = static_cast<uint32_t>(codes.code[i] - least);
            high |= (code >> 4) << i;
            const uint32_t nibble = (code & 15u) << (i < elements / 2 ? 0 : 4);
            low[i % (elements / 2)] = static_cast<uint8_t>(low[i % (elements / 2)] | nibble);
        }
        std::memcpy(to, &d5_half, sizeof d5_half);
        std::memcpy(to + 2, &high, sizeof high);
        std::memcpy(to + 6, low, sizeof low);
    }
    return error;
}

}  // namespace sfumato
