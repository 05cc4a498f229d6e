// Counter-based random numbers, Philox4x32-10 (Salmon et al., SC 2011): the same counter gives the
// same number on every device, in any order.
#pragma once

#include <array>
#include <cstdint>

namespace sfumato {

constexpr std::array<uint32_t, 4> philox(std::array<uint32_t, 4> counter, uint64_t seed) {
    auto key0 = static_cast<uint32_t>(seed), key1 = static_cast<uint32_t>(seed >> 32);
    for (int round = 0; round < 10; ++round) {
        const uint64_t a = uint64_t{0xD2511F53} * counter[0];
        const uint64_t b = uint64_t{0xCD9E8D57} * counter[2];
        counter = {static_cast<uint32_t>(b >> 32) ^ counter[1] ^ key0,
                   static_cast<uint32_t>(b),
                   static_cast<uint32_t>(a >> 32) ^ counter[3] ^ key1,
                   static_cast<uint32_t>(a)};
        key0 += 0x9E3779B9;
        key1 += 0xBB67AE85;
    }
    return counter;
}

// What a position draws in a step of a block. Step 0 of the noise is the canvas as it starts.
struct Draw {
    float uniform;  // in [0, 1)
    int32_t token;  // in [0, vocab)
};

constexpr Draw draw(uint64_t seed, uint32_t block, uint32_t step, uint32_t position, int vocab) {
    const std::array<uint32_t, 4> r = philox({position, step, block, 0}, seed);
    const uint64_t wide = (static_cast<uint64_t>(r[1]) << 32) | r[2];
    return {static_cast<float>(r[0] >> 8) * 0x1p-24f,
            static_cast<int32_t>(wide % static_cast<uint64_t>(vocab))};
}

}  // namespace sfumato
