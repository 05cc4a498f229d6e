// The largest values of each row of a stream that several threads read in any order.
#pragma once

#include <algorithm>
#include <atomic>
#include <bit>
#include <limits>

#include "core/arena.h"
#include "ops/logits.h"

namespace sfumato::cpu {

// Holds up to twice Kept::most candidates a row; when that is full, the better half stays and its
// worst becomes the threshold. The outcome does not depend on the order of arrival.
class Candidates {
  public:
    struct Candidate {
        float z;
        int32_t token;

        // Larger first, then the lower id, so that no two candidates are equal.
        bool operator<(const Candidate& other) const {
            return z > other.z || (z == other.z && token < other.token);
        }
    };

    Candidates(Arena& scratch, int rows)
        : rows_(scratch.take<Row>(static_cast<size_t>(rows))),
          candidates_(scratch.take<Candidate>(rows, capacity)) {
        for (int r = 0; r < rows; ++r) new (rows_ + r) Row();
    }

    // Smaller z of the row are not wanted.
    float threshold(int row) const { return rows_[row].threshold.load(std::memory_order_relaxed); }

    // z[i] of tokens first_token + i for the bits i of `wanted`.
    void offer(int row, const float* z, uint32_t wanted, int32_t first_token) {
        Row& r = rows_[row];
        while (r.busy.test_and_set(std::memory_order_acquire)) {
        }
        for (; wanted != 0; wanted &= wanted - 1) {
            const int i = std::countr_zero(wanted);
            if (!(z[i] >= r.threshold.load(std::memory_order_relaxed))) continue;
            if (r.count == capacity) drop_worse_half(row);
            candidates_.row(row)[r.count++] = {z[i], first_token + i};
        }
        r.busy.clear(std::memory_order_release);
    }

    // After all offers: at most Kept::most, best first.
    int best(int row, const Candidate** out) {
        if (rows_[row].count > Kept::most) drop_worse_half(row);
        Candidate* c = candidates_.row(row);
        std::sort(c, c + rows_[row].count);
        *out = c;
        return rows_[row].count;
    }

  private:
    static constexpr int capacity = 2 * Kept::most;

    struct Row {
        std::atomic_flag busy;
        std::atomic<float> threshold{-std::numeric_limits<float>::infinity()};
        int count = 0;
    };

    void drop_worse_half(int row) {
        Candidate* c = candidates_.row(row);
        Row& r = rows_[row];
        std::nth_element(c, c + (Kept::most - 1), c + r.count);
        r.count = Kept::most;
        r.threshold.store(c[Kept::most - 1].z, std::memory_order_relaxed);
    }

    Row* rows_;
    View<Candidate> candidates_;
};

}  // namespace sfumato::cpu
