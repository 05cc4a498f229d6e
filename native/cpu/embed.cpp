#include "ops/embed.h"

#include "core/op_times.h"

namespace sfumato::cpu {

void embed(const Context& context, const EmbedArgs& a) {
    const OpTimer timer("embed");
    context.threads.run_range(a.out.rows, 16, [&](int begin, int end, int) {
        for (int r = begin; r < end; ++r) {
            float* out = a.out.row(r);
            a.embedding.row(a.ids[static_cast<size_t>(r)], out);
            for (int i = 0; i < a.out.width; ++i) out[i] *= a.scale;
        }
    });
}

}  // namespace sfumato::cpu
