// The tied embedding as one matrix.
#pragma once

#include "cuda/matrix.cuh"
#include "ops/embed.h"

namespace sfumato::cuda {

// Its slabs lie in memory one after another: whole row tiles, nothing in between.
inline Weights weights_of(const Embedding& e) {
    const Matrix& first = e.slabs[0];
    const size_t bytes = packed_bytes(first.type, Embedding::slab_rows, first.inputs);
    for (size_t i = 0; i < e.slabs.size(); ++i)
        check(e.slabs[i].data == first.data + i * bytes,
              "the embedding's slabs do not follow each other");
    return {reinterpret_cast<const unsigned char*>(first.data), 0, e.vocab, e.hidden};
}

// Rows [first, first + count); `first` is a multiple of 16.
inline Weights rows_of(const Weights& w, DType type, int first, int count) {
    Weights part = w;
    part.data += packed_bytes(type, first, w.inputs);
    part.outputs = count;
    return part;
}

}  // namespace sfumato::cuda
