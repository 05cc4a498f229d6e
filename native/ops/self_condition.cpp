#include "ops/self_condition.h"

namespace sfumato::ops {
namespace {

void check_rows(const Embedding& embedding, std::span<const int32_t> pinned, View<float> out) {
    check(out.width == embedding.hidden && static_cast<int>(pinned.size()) == out.rows,
          "soft_embedding: out is [",
          out.rows,
          ", ",
          out.width,
          "], ",
          pinned.size(),
          " pins, E ",
          embedding.hidden,
          " wide");
}

}  // namespace

void soft_embedding(const Context& context, const SoftEmbeddingArgs& a) {
    check_rows(a.embedding, a.pinned, a.out);
    SFUMATO_DISPATCH(context, soft_embedding(context, a));
}

void dense_soft_embedding(const Context& context, const DenseSoftEmbeddingArgs& a) {
    check_rows(a.embedding, a.pinned, a.out);
    SFUMATO_DISPATCH(context, dense_soft_embedding(context, a));
}

void embedding_sum(const Context& context, const EmbeddingSumArgs& a) {
    SFUMATO_DISPATCH(context, embedding_sum(context, a));
}

void self_condition(const Context& context, const SelfConditionArgs& a) {
    check(a.soft.rows == a.out.rows && a.soft.width == a.out.width,
          "self_condition: soft is [",
          a.soft.rows,
          ", ",
          a.soft.width,
          "], out [",
          a.out.rows,
          ", ",
          a.out.width,
          "]");
    SFUMATO_DISPATCH(context, self_condition(context, a));
}

}  // namespace sfumato::ops
