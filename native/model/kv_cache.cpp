#include "model/kv_cache.h"

#include <algorithm>
#include <cstdint>

namespace sfumato {

KvCache::KvCache(const ModelConfig& config, int context, int largest_pass, int rewind, bool half)
    : context_(context) {
    const auto element = static_cast<size_t>(half ? 2 : 4);
    for (int i = 0; i < config.layers; ++i) {
        KeyValues kv{.half = half,
                     .kv_heads = config.key_heads(i),
                     .capacity = context,
                     .head_dim = config.head_dim(i)};
        if (config.is_sliding(i)) {
            const int64_t ring = int64_t{config.window} - 1 + largest_pass + rewind;
            kv.capacity = static_cast<int>(std::min<int64_t>(context, ring));
            window_ = config.window;
            ring_ = kv.capacity;
        }
        const size_t bytes = static_cast<size_t>(kv.kv_heads) * static_cast<size_t>(kv.capacity) *
                             static_cast<size_t>(kv.head_dim) * element;
        kv.keys = reinterpret_cast<std::byte*>(bytes_);  // offsets, until there is memory
        kv.values = reinterpret_cast<std::byte*>(bytes_ + bytes);
        bytes_ += 2 * bytes;
        layers_.push_back(kv);
        windows_.push_back(config.window_of(i));
    }
}

void KvCache::allocate(Stream& stream) {
    memory_ = stream.allocate(bytes_, "a context of this length");
    for (KeyValues& kv : layers_) {
        kv.keys = memory_.data() + reinterpret_cast<uintptr_t>(kv.keys);
        kv.values = memory_.data() + reinterpret_cast<uintptr_t>(kv.values);
    }
}

void KvCache::prepare(int rows) {
    check(rows <= context_ - position_,
          "the context of ",
          context_,
          " tokens is full: ",
          position_,
          " are used, ",
          rows,
          " more do not fit");
    written_ = std::max(written_, position_ + rows);
}

int KvCache::oldest() const { return ring_ == 0 ? 0 : std::max(0, written_ - ring_); }

int KvCache::oldest_rewind() const { return oldest() == 0 ? 0 : oldest() + window_ - 1; }

void KvCache::truncate(int position) {
    check(position >= 0 && position <= position_,
          "cannot go back to token ",
          position,
          " of ",
          position_);
    check(position == 0 || position == position_ || position >= oldest_rewind(),
          "cannot go back to token ",
          position,
          ": sliding layers hold what is needed from token ",
          oldest_rewind(),
          " on");
    position_ = position;
    if (position == 0) written_ = 0;
}

int KvCache::kept_positions(int layer) const {
    const int window = windows_[static_cast<size_t>(layer)];
    return window == 0 ? position_ : std::min(position_, window - 1);
}

void KvCache::copy(Stream& stream, int layer, bool keys, float* out) const {
    const KeyValues& kv = layers_[static_cast<size_t>(layer)];
    const auto elements = static_cast<int64_t>(kv.kv_heads) * kv.capacity * kv.head_dim;
    std::vector<std::byte> from(row_bytes(kv.half ? DType::f16 : DType::f32, elements));
    stream.copy(from.data(), keys ? kv.keys : kv.values, from.size());
    stream.wait();
    const int count = kept_positions(layer);
    for (int head = 0; head < kv.kv_heads; ++head)
        for (int p = position_ - count; p < position_; ++p) {
            const size_t slot = static_cast<size_t>(head) * static_cast<size_t>(kv.capacity) +
                                static_cast<size_t>(p % kv.capacity);
            const size_t element = slot * static_cast<size_t>(kv.head_dim);
            const DType type = kv.half ? DType::f16 : DType::f32;
            dequantize_row(type,
                           from.data() + row_bytes(type, static_cast<int64_t>(element)),
                           kv.head_dim,
                           out);
            out += kv.head_dim;
        }
}

}  // namespace sfumato
