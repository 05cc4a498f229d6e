// Embeddings of tokens.
//   out[r] = E[ids[r]] · scale
#pragma once

#include <span>

#include "ops/dispatch.h"

namespace sfumato {

// The tied embedding, E [vocab, hidden]: input, head and soft embeddings. Cut into slabs so that
// each is a piece of work for a thread.
struct Embedding {
    static constexpr int slab_rows = 512;

    std::span<const Matrix> slabs;  // slab_rows rows each, the last may have fewer
    int vocab = 0;
    int hidden = 0;

    // De-quantised row `token`.
    void row(int token, float* out) const {
        cpu::unpack_row(slabs[static_cast<size_t>(token / slab_rows)], token % slab_rows, out);
    }
};

struct EmbedArgs {
    const Embedding& embedding;
    std::span<const int32_t> ids;  // [rows], each in [0, vocab); the device's
    float scale;
    View<float> out;  // [rows, hidden]
};

namespace ops {
void embed(const Context&, const EmbedArgs&);
}
namespace cpu {
void embed(const Context&, const EmbedArgs&);
}
namespace cuda {
void embed(const Context&, const EmbedArgs&);
}

}  // namespace sfumato
