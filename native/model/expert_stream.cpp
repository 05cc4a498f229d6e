#include "model/expert_stream.h"

#include <algorithm>

namespace sfumato {

void ExpertStream::begin(Stream& stream,
                         std::vector<Layer> layers,
                         std::byte* places,
                         size_t place_bytes) {
    places_ = places;
    place_bytes_ = place_bytes;
    for (const Layer& layer : layers) {
        turn_.push_back(layer.bytes == 0 ? -1 : static_cast<int>(layers_.size()));
        if (layer.bytes != 0) layers_.push_back(layer);
    }
    in_pass_ = true;
    begin_pass(stream);
    end_pass(stream);
}

// A pass that an error ended has left its places to other layers.
void ExpertStream::begin_pass(Stream& stream) {
    if (in_pass_)
        for (int turn = 0; turn < std::min(slots, static_cast<int>(layers_.size())); ++turn) {
            fill(stream, turn);
            stream.arrive(turn);
            coming_[turn] = false;
        }
    in_pass_ = true;
}

void ExpertStream::wait_for(Stream& stream, int layer) {
    if (turn_.empty() || turn_[static_cast<size_t>(layer)] < 0) return;
    const int slot = turn_[static_cast<size_t>(layer)] % slots;
    if (!coming_[slot]) return;
    stream.arrive(slot);
    coming_[slot] = false;
}

void ExpertStream::release(Stream& stream, int layer) {
    if (turn_.empty() || turn_[static_cast<size_t>(layer)] < 0) return;
    const int turn = turn_[static_cast<size_t>(layer)], slot = turn % slots;
    if (coming_[slot]) wait_for(stream, layer);  // a layer whose experts were not used
    const int next = turn + slots < static_cast<int>(layers_.size()) ? turn + slots : slot;
    if (next != turn) fill(stream, next);
}

void ExpertStream::end_pass(Stream& stream) {
    for (int slot = 0; slot < slots; ++slot)
        if (coming_[slot]) {
            stream.arrive(slot);
            coming_[slot] = false;
        }
    in_pass_ = false;
}

void ExpertStream::fill(Stream& stream, int turn) {
    const int slot = turn % slots;
    const Layer& layer = layers_[static_cast<size_t>(turn)];
    stream.prefetch(
        slot, places_ + static_cast<size_t>(slot) * place_bytes_, layer.from, layer.bytes);
    coming_[slot] = true;
}

}  // namespace sfumato
