// The host's share of a layer's experts while a GPU computes the others (PERFORMANCE.md 3.6).
//   each[p] = down_e · ( gelu(gate_e · x[token[p]]) ⊙ (up_e · x[token[p]]) )
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "ops/dispatch.h"

namespace sfumato {

// What all layers share: arrays that both sides reach, in memory of Stream::allocate_shared().
struct HostShare {
    // For passes of at most `rows` rows and at most `experts` experts.
    HostShare(Stream& stream, Threads& threads, int rows, int hidden, int top_k, int experts);

    View<float> x;     // [rows, hidden]
    int32_t* token;    // [rows · top_k], of each pair of a token with one of these experts
    int32_t* first;    // [experts + 1], where an expert's pairs begin
    View<float> each;  // [rows · top_k, hidden]

    Threads& threads;
    Arena scratch;
    bool failed = false;  // memory ran out

  private:
    Buffer memory_;
};

// The last experts of a layer, packed for the host.
struct HostExperts {
    std::vector<Matrix> gate, up, down;
    HostShare* share = nullptr;

    int count() const { return static_cast<int>(gate.size()); }
};

namespace ops {
// All pairs that share->first tells of. Does not throw.
void host_experts(const HostExperts& experts) noexcept;
}  // namespace ops

}  // namespace sfumato
