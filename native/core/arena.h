// Scratch memory of a step: taken in order, given back in reverse, nothing freed in between.
#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

#include "core/memory.h"
#include "core/tensor.h"

namespace sfumato {

// Grows while the first step runs; the next Scope that starts empty merges what grew into one
// block.
class Arena {
  public:
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
        if (blocks_.empty()) blocks_.emplace_back(bytes, "working memory");
    }

    // 64-byte aligned, not cleared.
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
        const size_t need = (bytes + 63) / 64 * 64;
        while (block_ < blocks_.size() && used_ + need > blocks_[block_].bytes()) {
            ++block_;
            used_ = 0;
        }
        if (block_ == blocks_.size())
            blocks_.emplace_back(std::max(need, smallest_block), "working memory");
        std::byte* at = blocks_[block_].data() + used_;
        used_ += need;
        return at;
    }

    void merge() {
        if (blocks_.size() < 2) return;
        const size_t total = bytes();
        blocks_.clear();
        blocks_.emplace_back(total, "working memory");
    }

    std::vector<Buffer> blocks_;
    size_t block_ = 0, used_ = 0;
};

}  // namespace sfumato
