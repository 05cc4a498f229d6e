// Experts that the device has no room for (PERFORMANCE.md 3.6, 4.7): the last ones of each layer
// stay in main memory and come to the device one layer ahead of their use. Every pass uses all of
// them, so that nothing has to be known of the routing.
//
// They come to two places in turn. Between two passes the first two layers that stream are in
// place; when a layer is done its place is filled for the next but one, and at the end of a pass
// for the first or the second again.
#pragma once

#include <cstddef>
#include <vector>

#include "core/stream.h"

namespace sfumato {

class ExpertStream {
  public:
    // A layer's experts in main memory; none where bytes is 0.
    struct Layer {
        const std::byte* from = nullptr;
        size_t bytes = 0;
    };

    // Brings the first layers into place. `places`: of Stream::slots × `place_bytes` on the device.
    void begin(Stream& stream, std::vector<Layer> layers, std::byte* places, size_t place_bytes);

    // Around a pass over the layers, each of which is waited for (where its experts are used) and
    // released, in order.
    void begin_pass(Stream& stream);
    void wait_for(Stream& stream, int layer);
    void release(Stream& stream, int layer);
    void end_pass(Stream& stream);

  private:
    static constexpr int slots = Stream::slots;

    void fill(Stream& stream, int turn);

    std::vector<Layer> layers_;  // those that stream
    std::vector<int> turn_;      // [all layers]: place in layers_, -1: all its experts are there
    std::byte* places_ = nullptr;
    size_t place_bytes_ = 0;
    bool coming_[slots] = {};
    bool in_pass_ = false;
};

}  // namespace sfumato
