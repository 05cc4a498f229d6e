// Scratch memory of a step: taken in order, given back in reverse, nothing freed in between.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/stream.h"
#include "core/tensor.h"

namespace sfumato {

// Grows while the first step runs; the next Scope that starts empty merges what grew into one
// block. With a stream the memory is its device's, and blocks stay where they are, because
// recordings know them.
class Arena {
  public:
    Arena() = default;
    explicit Arena(Stream& stream) : stream_(&stream) {}

    // Everything taken while a Scope lives is given back when it ends.
    class Scope {
      public:
        explicit Scope(Arena& arena) : arena_(arena), block_(arena.block_), used_(arena.used_) {
            if (block_ == 0 && used_ == 0) arena_.merge();
        }
        ~Scope() {
            arena_.block_ = block_;
            arena_.used_ = used_;
        }
        Scope(const Scope&) = delete;
        Scope& operator=(const Scope&) = delete;

      private:
        Arena& arena_;
        size_t block_, used_;
    };

    void reserve(size_t bytes) {
        if (blocks_.empty()) blocks_.push_back(allocate(bytes));
    }

    // The most that was in use at once while the stream was measuring.
    size_t measured() const { return measured_; }

    // 128-byte aligned, not cleared.
    template <class T>
    T* take(size_t count) {
        return reinterpret_cast<T*>(take_bytes(count * sizeof(T)));
    }

    template <class T>
    View<T> take(int rows, int width) {
        return {take<T>(static_cast<size_t>(rows) * static_cast<size_t>(width)), rows, width};
    }

    size_t bytes() const {
        size_t total = 0;
        for (const Buffer& block : blocks_) total += block.bytes();
        return total;
    }

  private:
    static constexpr size_t smallest_block = 1u << 20;

    std::byte* take_bytes(size_t bytes) {
        const size_t need = (bytes + 127) / 128 * 128;
        if (stream_ != nullptr && stream_->measuring) {
            used_ += need;
            measured_ = std::max(measured_, used_);
            return reinterpret_cast<std::byte*>(static_cast<uintptr_t>(used_));  // never read
        }
        while (block_ < blocks_.size() && used_ + need > blocks_[block_].bytes()) {
            ++block_;
            used_ = 0;
        }
        if (block_ == blocks_.size()) blocks_.push_back(allocate(std::max(need, smallest_block)));
        std::byte* at = blocks_[block_].data() + used_;
        used_ += need;
        return at;
    }

    void merge() {
        if (blocks_.size() < 2 || stream_ != nullptr) return;
        const size_t total = bytes();
        blocks_.clear();
        blocks_.push_back(allocate(total));
    }

    Buffer allocate(size_t bytes) {
        constexpr const char* purpose = "working memory";
        return stream_ == nullptr ? Buffer(bytes, purpose) : stream_->allocate(bytes, purpose);
    }

    Stream* stream_ = nullptr;
    std::vector<Buffer> blocks_;
    size_t block_ = 0, used_ = 0, measured_ = 0;
};

}  // namespace sfumato
