#include "cpu/machine.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstring>

#include "core/memory.h"
#include "cpu/kernels.h"

namespace sfumato::cpu {
namespace {

constexpr size_t read_bytes = 512u << 20;
constexpr size_t piece_bytes = 4u << 20;
constexpr int repeats = 5;  // the best counts: others only ever take time away

uint64_t sum_of(const std::byte* from) {
    const auto* words = reinterpret_cast<const uint64_t*>(from);
    uint64_t sums[8] = {};
    for (size_t i = 0; i < piece_bytes / sizeof(uint64_t); i += 8)
        for (size_t j = 0; j < 8; ++j) sums[j] += words[i + j];
    uint64_t sum = 0;
    for (uint64_t s : sums) sum += s;
    return sum;
}

template <class Work>
double best_seconds(Work&& work) {
    double best = 1e9;
    for (int i = 0; i < repeats; ++i) {
        const auto begin = std::chrono::steady_clock::now();
        work();
        const std::chrono::duration<double> time = std::chrono::steady_clock::now() - begin;
        best = std::min(best, time.count());
    }
    return best;
}

}  // namespace

Machine measure_machine(Threads& threads) {
    Machine m{};
    {
        const Buffer memory(read_bytes, "measuring the memory");
        std::atomic<uint64_t> kept{0};  // so that no reading is left out
        const int pieces = static_cast<int>(read_bytes / piece_bytes);
        threads.run(pieces, [&](int piece, int) {
            std::memset(memory.data() + static_cast<size_t>(piece) * piece_bytes, 1, piece_bytes);
        });
        m.bytes_per_second =
            static_cast<double>(read_bytes) / best_seconds([&] {
                threads.run(pieces, [&](int piece, int) {
                    kept += sum_of(memory.data() + static_cast<size_t>(piece) * piece_bytes);
                });
            });
    }
    alignas(64) uint8_t zeros[4096] = {};
    constexpr int tasks_per_thread = 8, rounds = 20000;
    const int tasks = threads.count() * tasks_per_thread;
    double products = 0.0;
    const double seconds = best_seconds([&] {
        std::atomic<int64_t> done{0};
        threads.run(tasks, [&](int, int) { done += kernels().dot_products(zeros, rounds); });
        products = static_cast<double>(done.load());
    });
    m.products_per_second = products / seconds;
    return m;
}

}  // namespace sfumato::cpu
