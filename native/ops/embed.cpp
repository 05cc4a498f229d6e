#include "ops/embed.h"

namespace sfumato::ops {

void embed(const Context& context, const EmbedArgs& a) {
    check(a.out.width == a.embedding.hidden && a.out.rows == static_cast<int>(a.ids.size()),
          "embed: out is [",
          a.out.rows,
          ", ",
          a.out.width,
          "] for ",
          a.ids.size(),
          " tokens of ",
          a.embedding.hidden);
    SFUMATO_DISPATCH(context, embed(context, a));
}

}  // namespace sfumato::ops
