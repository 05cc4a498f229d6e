#include "ops/attention.h"

namespace sfumato::ops {

void attention(const Context& context, const AttentionArgs& a) {
    const int heads = a.q.width / a.kv.head_dim;
    check(a.q.width % a.kv.head_dim == 0 && heads % a.kv.kv_heads == 0 &&
              a.out.width == a.q.width && a.out.rows == a.q.rows,
          "attention: q is [",
          a.q.rows,
          ", ",
          a.q.width,
          "], out [",
          a.out.rows,
          ", ",
          a.out.width,
          "], ",
          a.kv.kv_heads,
          " key heads of ",
          a.kv.head_dim);
    const int seen = a.window == 0 ? a.first_position + a.q.rows : a.window - 1 + a.q.rows;
    check(seen <= a.kv.capacity || a.first_position + a.q.rows <= a.kv.capacity,
          "attention: ",
          seen,
          " keys in a cache of ",
          a.kv.capacity);
    SFUMATO_DISPATCH(context, attention(context, a));
}

void store(const Context& context, const StoreArgs& a) {
    const int width = a.kv.kv_heads * a.kv.head_dim;
    check(a.keys.width == width && a.values.width == width && a.keys.rows == a.values.rows &&
              a.keys.rows <= a.kv.capacity,
          "store: keys are [",
          a.keys.rows,
          ", ",
          a.keys.width,
          "], the cache takes rows of ",
          width);
    SFUMATO_DISPATCH(context, store(context, a));
}

}  // namespace sfumato::ops
