// A device's memory, and the order of what it does. On the CPU everything is done when a call
// returns.
#pragma once

#include <cstring>
#include <functional>
#include <memory>

#include "core/memory.h"

namespace sfumato {

// Operations that come again unchanged, in a form that a device repeats at little cost.
class Recording {
  public:
    virtual ~Recording() = default;
};

class Stream {
  public:
    virtual ~Stream() = default;

    // Memory that operations work in, and memory that the host reads and writes as well. Both throw
    // OutOfMemory, naming `purpose` and the numbers.
    virtual Buffer allocate(size_t bytes, const char* purpose) = 0;
    virtual Buffer allocate_shared(size_t bytes, const char* purpose) = 0;

    // In order with operations. Host memory belongs to the copy until wait().
    virtual void copy(void* to, const void* from, size_t bytes) = 0;

    // Until everything so far is done.
    virtual void wait() = 0;

    // Copies beside operations: begins when all that was asked for before is done. What is asked
    // for after arrive() of the same slot begins when the copy is done. Host memory is of
    // allocate_shared(), and every prefetch is followed by an arrive.
    static constexpr int slots = 2;
    virtual void prefetch(int slot, void* to, const void* from, size_t bytes) = 0;
    virtual void arrive(int slot) = 0;

    // A place in the order of operations, and until everything before it is done; the last place
    // that was marked with the slot.
    virtual void mark(int slot) = 0;
    virtual void wait_for(int slot) = 0;

    // Bytes that allocate() could give; 0 where the system decides when memory is touched.
    virtual size_t free_memory() = 0;

    // About what the device keeps for itself beside all that is allocated: once, and for each
    // recording.
    struct Overhead {
        size_t context = 0, recording = 0;
    };
    virtual Overhead overhead() const { return {}; }

    // Does `work`: makes `recording` of it if there is none yet, else repeats that. `work` must ask
    // for the same operations on the same memory every time. Where `unless`, which is the device's,
    // is true when its turn comes, nothing is done; only for skips_recordings(), and for work that
    // asks nothing of the host. nullptr: it is always done.
    virtual void repeat(std::unique_ptr<Recording>& recording,
                        const bool* unless,
                        const std::function<void()>& work) = 0;
    virtual bool skips_recordings() const { return false; }

    // While measuring, operations take scratch memory and do nothing.
    bool measuring = false;
};

namespace cpu {

class Stream final : public sfumato::Stream {
  public:
    Buffer allocate(size_t bytes, const char* purpose) override { return {bytes, purpose}; }
    Buffer allocate_shared(size_t bytes, const char* purpose) override { return {bytes, purpose}; }
    void copy(void* to, const void* from, size_t bytes) override { std::memcpy(to, from, bytes); }
    void wait() override {}
    void prefetch(int, void* to, const void* from, size_t bytes) override { copy(to, from, bytes); }
    void arrive(int) override {}
    void mark(int) override {}
    void wait_for(int) override {}
    size_t free_memory() override { return 0; }
    void repeat(std::unique_ptr<Recording>&,
                const bool*,
                const std::function<void()>& work) override {
        work();
    }
};

}  // namespace cpu

}  // namespace sfumato
