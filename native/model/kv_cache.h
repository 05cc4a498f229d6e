// Keys and values of the conversation so far, of every layer.
#pragma once

#include <span>
#include <vector>

#include "core/stream.h"
#include "model/config.h"
#include "ops/attention.h"

namespace sfumato {

// A full-attention layer keeps every position. A sliding layer keeps a ring: its window, the rows
// of one pass and what a conversation may go back (MODEL.md 7.3). A canvas is written behind the
// cache's end and never counted, so the next pass overwrites it.
class KvCache {
  public:
    // Lays out memory; allocate() takes bytes() of it from the stream's device. `rewind`: positions
    // that a ring keeps beyond its window.
    KvCache(const ModelConfig& config, int context, int largest_pass, int rewind, bool half);
    void allocate(Stream& stream);

    KeyValues layer(int layer) const { return layers_[static_cast<size_t>(layer)]; }
    int position() const { return position_; }
    int context() const { return context_; }
    size_t bytes() const { return bytes_; }

    // `rows` are about to be written behind the end. Throws Error where the context has no room.
    void prepare(int rows);
    // The first `rows` of them stay.
    void advance(int rows) { position_ += rows; }

    // Forgets positions from `position` on. Throws Error where a ring no longer holds what a
    // continuation from there would see.
    void truncate(int position);
    // The smallest position other than 0 that truncate takes.
    int oldest_rewind() const;

    // Keys or values of `layer` as floats [kv_heads, positions, head_dim]: all, or a window's.
    int kept_positions(int layer) const;
    void copy(Stream& stream, int layer, bool keys, float* out) const;

  private:
    int oldest() const;  // position that every ring still holds

    std::vector<KeyValues> layers_;
    std::vector<int> windows_;  // [layers], 0: full
    size_t bytes_ = 0;
    Buffer memory_;
    int context_;
    int window_ = 1;  // of the sliding layers
    int ring_ = 0;    // their capacity, 0: no sliding layer
    int position_ = 0;
    int written_ = 0;  // end of all that was ever written since position 0
};

}  // namespace sfumato
