#include "ops/logits.h"

namespace sfumato::ops {

void logits(const Context& context, const LogitsArgs& a) {
    check(a.hidden.width == a.embedding.hidden,
          "logits: hidden is ",
          a.hidden.width,
          " wide, the embedding ",
          a.embedding.hidden);
    check(a.softcap > 0.0f, "logits: softcap ", a.softcap, " must be above 0");
    SFUMATO_DISPATCH(context, logits(context, a));
}

void full_logits(const Context& context, const FullLogitsArgs& a) {
    check(a.hidden.width == a.embedding.hidden && a.out.rows == a.hidden.rows &&
              a.out.width == a.embedding.vocab,
          "full_logits: hidden is [",
          a.hidden.rows,
          ", ",
          a.hidden.width,
          "], out [",
          a.out.rows,
          ", ",
          a.out.width,
          "]");
    SFUMATO_DISPATCH(context, full_logits(context, a));
}

}  // namespace sfumato::ops
