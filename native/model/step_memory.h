// What a denoise step is given and what comes of it, each in one piece: on the device once, on the
// host twice, so that the host may read one step's outcome while the device makes the next one's.
#pragma once

#include <cstdint>
#include <span>

namespace sfumato {

struct StepMemory {
    // What is known of the whole canvas.
    struct State {
        float mean_entropy;
        int same_steps;
        bool stable, settled;
    };

    StepMemory() = default;
    // Divides bytes(length) of memory. `length`: of the canvas.
    StepMemory(std::byte* memory, size_t length) {
        std::byte* at = memory;
        const auto take = [&]<class T>(T*& first, size_t count) {
            first = reinterpret_cast<T*>(at);
            at += aligned(count * sizeof(T));
        };
        const auto take_array = [&]<class T>(std::span<T>& array) {
            T* first = nullptr;
            take(first, length);
            array = {first, length};
        };
        take(temperature, 1);
        take_array(uniform);
        take_array(renoise);
        take_array(pinned);
        given = {memory, at};
        for (auto* ids : {&argmax, &sampled, &canvas, &previous_argmax}) take_array(*ids);
        take_array(entropy);
        take_array(log_total);
        take_array(accepted);
        take(state, 1);
        outcome = {given.data() + given.size(), at};
    }

    static size_t bytes(size_t length) {
        return aligned(sizeof(float)) + 9 * aligned(4 * length) + aligned(length) +
               aligned(sizeof(State));
    }

    std::span<std::byte> given, outcome;  // the pieces

    // Given; arrays are [canvas], here and below.
    float* temperature = nullptr;
    std::span<float> uniform;
    std::span<int32_t> renoise, pinned;

    // The outcome.
    std::span<int32_t> argmax, sampled, canvas, previous_argmax;
    std::span<float> entropy, log_total;
    std::span<uint8_t> accepted;
    State* state = nullptr;

  private:
    static constexpr size_t aligned(size_t bytes) { return (bytes + 15) / 16 * 16; }
};

}  // namespace sfumato
