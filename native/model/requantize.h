// 8-bit blocks rounded to 5 bits, where memory is dearer than their last bits.
#pragma once

#include <cstddef>

namespace sfumato {

// How far the rounded weights are from the others: ‖difference‖ and ‖weights‖, squared.
struct RoundingError {
    double difference = 0.0, weights = 0.0;
};

// `blocks` blocks of Q8_0 become as many of Q5_0 (MODEL.md 5), from the same address on. The scale
// of a block is the best of some few in the least-squares sense.
RoundingError q8_0_to_q5_0(std::byte* data, size_t blocks);

}  // namespace sfumato
