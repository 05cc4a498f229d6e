// Embeddings of tokens: one block a token, eight inputs a thread.
#include "ops/embed.h"

#include "cuda/embedding.cuh"

namespace sfumato::cuda {
namespace {

template <class Rows>
__global__ void embed_kernel(Weights e, const int32_t* ids, float scale, float* out) {
    const int id = ids[blockIdx.x];
    for (int eighth = threadIdx.x; eighth * 8 < e.inputs; eighth += blockDim.x) {
        float v[8];
        Rows::eight(e, id, eighth, v);
        for (int i = 0; i < 8 && eighth * 8 + i < e.inputs; ++i)
            out[static_cast<size_t>(blockIdx.x) * e.inputs + eighth * 8 + i] = v[i] * scale;
    }
}

}  // namespace

void embed(const Context& context, const EmbedArgs& a) {
    const Weights e = weights_of(a.embedding);
    with_rows(a.embedding.slabs[0].type, [&]<class Rows>() {
        launch(context,
               embed_kernel<Rows>,
               dim3(static_cast<unsigned>(a.out.rows)),
               dim3(128),
               0,
               e,
               a.ids.data(),
               a.scale,
               a.out.data);
    });
}

}  // namespace sfumato::cuda
