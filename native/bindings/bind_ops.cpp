// Single operations on arrays, for tests and benches. Matrices come as (type, bytes [rows,
// row_bytes]) or, several at once, [matrices, rows, row_bytes].
#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>

#include <array>
#include <memory>
#include <optional>
#include <string>

#include "bindings/arrays.h"
#include "core/random.h"
#include "ops/attention.h"
#include "ops/denoise_step.h"
#include "ops/moe.h"
#include "ops/rms_norm.h"
#include "ops/rope.h"
#include "ops/self_condition.h"

namespace sfumato::bindings {
namespace {

using Floats = Array<float>;
using Maybe = std::optional<Floats>;
using Bytes = std::pair<int, Array<uint8_t>>;  // type of the file format, blocks

// A device for one call.
struct Here {
    Threads threads;
    Arena scratch;
    Compute compute;

    Here(const std::string& name, int count)
        : threads(count), compute(name == "reference" ? Compute::reference : Compute::fast) {
        check(
            name == "reference" || name == "fast", "compute is ", name, ", not fast or reference");
    }
    Context context() {
        return {.device = Device::cpu, .compute = compute, .threads = threads, .scratch = scratch};
    }
};

// Packed matrices and the memory that they lie in.
struct Packed {
    std::vector<Buffer> memory;
    std::vector<Matrix> matrices;

    // Cuts each of the matrices into pieces of at most `piece_rows`.
    Packed(const Bytes& bytes, Compute compute, int piece_rows = 1 << 30) {
        const auto& [number, a] = bytes;
        check(is_dtype(number) && (a.ndim() == 2 || a.ndim() == 3), "no matrices of type ", number);
        const auto type = static_cast<DType>(number);
        const Block block = block_of(type);
        const size_t row = a.shape(a.ndim() - 1);
        const int inputs = static_cast<int>(row) / block.bytes * block.elements;
        const int rows = static_cast<int>(a.shape(a.ndim() - 2));
        const size_t count = a.ndim() == 3 ? a.shape(0) : 1;
        for (size_t i = 0; i < count; ++i)
            for (int first = 0; first < rows; first += piece_rows) {
                const size_t at =
                    (i * static_cast<size_t>(rows) + static_cast<size_t>(first)) * row;
                add({.type = type,
                     .compute = inputs % cpu::group == 0 ? compute : Compute::reference,
                     .outputs = std::min(piece_rows, rows - first),
                     .inputs = inputs},
                    reinterpret_cast<const std::byte*>(a.data()) + at);
            }
    }

    Embedding embedding() const {
        Embedding e{.slabs = matrices, .hidden = matrices[0].inputs};
        for (const Matrix& m : matrices) e.vocab += m.outputs;
        return e;
    }

  private:
    void add(Matrix m, const std::byte* source) {
        memory.emplace_back(cpu::packed_bytes(m.type, m.compute, m.outputs, m.inputs), "a matrix");
        m.data = memory.back().data();
        for (int panel = 0; panel < m.panels(); ++panel) cpu::pack_panel(source, m, panel);
        matrices.push_back(m);
    }
};

View<const float> view(const Floats& a) {
    check(a.ndim() == 2, "an array of ", a.ndim(), " dimensions, not 2");
    return {a.data(), static_cast<int>(a.shape(0)), static_cast<int>(a.shape(1))};
}

View<const float> view(const Maybe& a) { return a ? view(*a) : View<const float>{}; }

const float* data(const Maybe& a) { return a ? a->data() : nullptr; }

// Runs `work` on an output [rows, width].
template <class Work>
auto result(int rows, int width, Work&& work) {
    std::vector<float> out(static_cast<size_t>(rows) * static_cast<size_t>(width));
    work(View<float>{out.data(), rows, width});
    return array(std::move(out), rows, width);
}

auto dequantize(const Bytes& bytes) {
    const auto& [number, a] = bytes;
    check(is_dtype(number) && a.ndim() == 2, "no rows of type ", number);
    const auto type = static_cast<DType>(number);
    const Block block = block_of(type);
    const int elements = static_cast<int>(a.shape(1)) / block.bytes * block.elements;
    return result(static_cast<int>(a.shape(0)), elements, [&](View<float> out) {
        for (int r = 0; r < out.rows; ++r)
            dequantize_row(
                type,
                reinterpret_cast<const std::byte*>(a.data()) + static_cast<size_t>(r) * a.shape(1),
                elements,
                out.row(r));
    });
}

auto linear(const Bytes& w, const Floats& x, const std::string& compute, int threads) {
    Here here(compute, threads);
    const Packed packed(w, here.compute);
    const Matrix& m = packed.matrices[0];
    return result(view(x).rows, m.outputs, [&](View<float> out) {
        const Projection projections[] = {{&m, out}};
        ops::linear(here.context(), {.x = view(x), .projections = projections});
    });
}

auto unpack(const Bytes& w, const std::string& compute) {
    Here here(compute, 1);
    const Packed packed(w, here.compute);
    const Matrix& m = packed.matrices[0];
    return result(m.outputs, m.inputs, [&](View<float> out) {
        for (int r = 0; r < out.rows; ++r) cpu::unpack_row(m, r, out.row(r));
    });
}

auto rms_norm(const Floats& x,
              const Maybe& weight,
              const Maybe& plus,
              const Maybe& residual,
              float scale,
              float eps) {
    Here here("reference", 2);
    const View<const float> in = view(x);
    return result(in.rows, in.width, [&](View<float> out) {
        ops::rms_norm(here.context(),
                      {.x = in,
                       .plus = view(plus),
                       .weight = data(weight),
                       .residual = view(residual),
                       .scale = scale,
                       .eps = eps,
                       .out = out});
    });
}

auto rope(const Floats& x,
          int head_dim,
          const Maybe& weight,
          const Maybe& frequencies,
          int first_position,
          float eps) {
    Here here("reference", 2);
    const View<const float> in = view(x);
    std::vector<float> table(static_cast<size_t>(in.rows) * static_cast<size_t>(head_dim));
    const View<float> angles{table.data(), in.rows, head_dim};
    if (frequencies)
        ops::angles(
            here.context(),
            {.first_position = first_position, .frequencies = frequencies->data(), .out = angles});
    return result(in.rows, in.width, [&](View<float> out) {
        ops::rope(here.context(),
                  {.x = in,
                   .head_dim = head_dim,
                   .weight = data(weight),
                   .angles = frequencies ? angles : View<float>{},
                   .eps = eps,
                   .out = out});
    });
}

// Positions 0 … are stored in passes of `pass` rows, as a conversation would; those of the last
// rows query.
auto attention(const Floats& q,
               const Floats& keys,
               const Floats& values,
               int head_dim,
               int first_position,
               bool causal,
               int window,
               int capacity,
               bool half,
               int pass) {
    Here here("fast", 2);
    const View<const float> k = view(keys), v = view(values), in = view(q);
    const int kv_heads = k.width / head_dim;
    const Buffer memory(2 * static_cast<size_t>(capacity) * static_cast<size_t>(k.width) * 4,
                        "keys");
    const KeyValues kv{.keys = memory.data(),
                       .values = memory.data() + memory.bytes() / 2,
                       .half = half,
                       .kv_heads = kv_heads,
                       .capacity = capacity,
                       .head_dim = head_dim};
    for (int at = 0; at < k.rows; at += pass) {
        const int rows = std::min(pass, k.rows - at);
        ops::store(here.context(),
                   {.keys = {k.row(at), rows, k.width},
                    .values = {v.row(at), rows, v.width},
                    .kv = kv,
                    .first_position = at});
    }
    return result(in.rows, in.width, [&](View<float> out) {
        ops::attention(here.context(),
                       {.q = in,
                        .kv = kv,
                        .first_position = first_position,
                        .causal = causal,
                        .window = window,
                        .out = out});
    });
}

auto mlp(const Floats& x,
         const Bytes& gate,
         const Bytes& up,
         const Bytes& down,
         const std::string& compute) {
    Here here(compute, 2);
    const Packed g(gate, here.compute), u(up, here.compute), d(down, here.compute);
    return result(view(x).rows, d.matrices[0].outputs, [&](View<float> out) {
        ops::mlp(here.context(),
                 {.x = view(x),
                  .gate = g.matrices[0],
                  .up = u.matrices[0],
                  .down = d.matrices[0],
                  .out = out});
    });
}

auto moe(const Floats& a,
         const Floats& x,
         const Floats& router,
         const Floats& router_scale,
         const Floats& expert_scale,
         const Bytes& gate,
         const Bytes& up,
         const Bytes& down,
         int top_k,
         float eps,
         const std::string& compute,
         int threads) {
    Here here(compute, threads);
    const Packed g(gate, here.compute), u(up, here.compute), d(down, here.compute);
    return result(view(x).rows, view(x).width, [&](View<float> out) {
        ops::moe(here.context(),
                 {.a = view(a),
                  .x = view(x),
                  .router = router.data(),
                  .router_scale = router_scale.data(),
                  .expert_scale = expert_scale.data(),
                  .gate = g.matrices,
                  .up = u.matrices,
                  .down = d.matrices,
                  .top_k = top_k,
                  .eps = eps,
                  .out = out});
    });
}

// A row's kept tokens, its soft embedding from them, and the dense one.
nb::dict logits(const Floats& hidden,
                const Bytes& embedding,
                float softcap,
                float temperature,
                const Floats& uniform,
                const std::vector<int32_t>& pinned,
                float scale,
                const std::string& compute,
                int threads) {
    Here here(compute, threads);
    const Packed packed(embedding, here.compute, Embedding::slab_rows);
    const Embedding e = packed.embedding();
    const View<const float> h = view(hidden);
    const auto rows = static_cast<size_t>(h.rows);
    std::vector<int32_t> argmax(rows), sampled(rows), counts(rows), tokens(rows * Kept::most);
    std::vector<float> entropy(rows), log_total(rows), p(rows * Kept::most);
    std::vector<float> sum(static_cast<size_t>(e.hidden));
    Kept kept{.token = {tokens.data(), h.rows, Kept::most},
              .p = {p.data(), h.rows, Kept::most},
              .count = counts.data()};
    ops::logits(here.context(),
                {.hidden = h,
                 .embedding = e,
                 .softcap = softcap,
                 .temperature = temperature,
                 .uniform = uniform.data(),
                 .argmax = argmax.data(),
                 .sampled = sampled.data(),
                 .entropy = entropy.data(),
                 .log_total = log_total.data(),
                 .kept = &kept});
    nb::dict out;
    out["logits"] = result(h.rows, e.vocab, [&](View<float> all) {
        ops::full_logits(here.context(),
                         {.hidden = h, .embedding = e, .softcap = softcap, .out = all});
    });
    ops::embedding_sum(here.context(), {.embedding = e, .out = sum.data()});
    out["soft"] = result(h.rows, e.hidden, [&](View<float> soft) {
        ops::soft_embedding(here.context(),
                            {.kept = kept,
                             .embedding = e,
                             .sum = sum.data(),
                             .pinned = pinned,
                             .scale = scale,
                             .out = soft});
    });
    out["dense_soft"] = result(h.rows, e.hidden, [&](View<float> soft) {
        ops::dense_soft_embedding(here.context(),
                                  {.hidden = h,
                                   .head = e,
                                   .embedding = e,
                                   .softcap = softcap,
                                   .temperature = temperature,
                                   .log_total = log_total.data(),
                                   .pinned = pinned,
                                   .scale = scale,
                                   .out = soft});
    });
    out["argmax"] = array(std::move(argmax), rows);
    out["sampled"] = array(std::move(sampled), rows);
    out["entropy"] = array(std::move(entropy), rows);
    out["log_total"] = array(std::move(log_total), rows);
    out["kept_token"] = array(std::move(tokens), rows, Kept::most);
    out["kept_p"] = array(std::move(p), rows, Kept::most);
    out["kept_count"] = array(std::move(counts), rows);
    return out;
}

nb::dict denoise_step(const Floats& entropy,
                      const std::vector<int32_t>& sampled,
                      const std::vector<int32_t>& renoise,
                      const std::vector<int32_t>& pinned,
                      std::vector<int32_t> argmax,
                      std::vector<int32_t> previous_argmax,
                      int same_steps,
                      float entropy_bound,
                      int stability_threshold,
                      float confidence_threshold) {
    Here here("fast", 1);
    const size_t n = argmax.size();
    std::vector<int32_t> canvas(n);
    std::vector<uint8_t> accepted(n);
    float mean_entropy = 0.0f;
    bool stable = false, settled = false;
    ops::denoise_step(here.context(),
                      {.entropy = span_of(entropy),
                       .sampled = sampled,
                       .renoise = renoise,
                       .pinned = pinned,
                       .entropy_bound = entropy_bound,
                       .stability_threshold = stability_threshold,
                       .confidence_threshold = confidence_threshold,
                       .argmax = argmax,
                       .previous_argmax = previous_argmax,
                       .same_steps = same_steps,
                       .canvas = canvas,
                       .accepted = accepted,
                       .mean_entropy = mean_entropy,
                       .stable = stable,
                       .settled = settled});
    nb::dict out;
    out["argmax"] = array(std::move(argmax), n);
    out["canvas"] = array(std::move(canvas), n);
    out["accepted"] = array(std::move(accepted), n);
    out["mean_entropy"] = mean_entropy;
    out["same_steps"] = same_steps;
    out["stable"] = stable;
    out["settled"] = settled;
    return out;
}

auto philox_words(const std::vector<uint32_t>& counter, uint64_t seed) {
    check(counter.size() == 4, "a counter of ", counter.size(), " words, not 4");
    const auto words = philox({counter[0], counter[1], counter[2], counter[3]}, seed);
    return std::vector<uint32_t>(words.begin(), words.end());
}

// Each task of a run adds its number to its own cell: all must be there, once.
std::vector<int> count_tasks(int threads, int tasks, int runs) {
    Threads pool(threads);
    std::vector<int> counts(static_cast<size_t>(tasks));
    for (int run = 0; run < runs; ++run)
        pool.run(tasks, [&](int task, int) { ++counts[static_cast<size_t>(task)]; });
    return counts;
}

}  // namespace

void bind_ops(nb::module_& m) {
    using nb::arg;
    m.def("op_dequantize", &dequantize, arg("rows"));
    m.def("op_unpack", &unpack, arg("w"), arg("compute"));
    m.def("op_linear", &linear, arg("w"), arg("x"), arg("compute"), arg("threads") = 2);
    m.def("op_rms_norm",
          &rms_norm,
          arg("x"),
          nb::kw_only(),
          arg("weight") = nb::none(),
          arg("plus") = nb::none(),
          arg("residual") = nb::none(),
          arg("scale") = 1.0f,
          arg("eps"));
    m.def("op_rope",
          &rope,
          arg("x"),
          nb::kw_only(),
          arg("head_dim"),
          arg("weight") = nb::none(),
          arg("frequencies") = nb::none(),
          arg("first_position") = 0,
          arg("eps"));
    m.def("op_attention",
          &attention,
          arg("q"),
          arg("keys"),
          arg("values"),
          nb::kw_only(),
          arg("head_dim"),
          arg("first_position"),
          arg("causal"),
          arg("window"),
          arg("capacity"),
          arg("half"),
          arg("pass_rows"));
    m.def("op_mlp",
          &mlp,
          arg("x"),
          arg("gate"),
          arg("up"),
          arg("down"),
          nb::kw_only(),
          arg("compute"));
    m.def("op_moe",
          &moe,
          arg("a"),
          arg("x"),
          nb::kw_only(),
          arg("router"),
          arg("router_scale"),
          arg("expert_scale"),
          arg("gate"),
          arg("up"),
          arg("down"),
          arg("top_k"),
          arg("eps"),
          arg("compute"),
          arg("threads") = 2);
    m.def("op_logits",
          &logits,
          arg("hidden"),
          arg("embedding"),
          nb::kw_only(),
          arg("softcap"),
          arg("temperature"),
          arg("uniform"),
          arg("pinned"),
          arg("scale"),
          arg("compute"),
          arg("threads") = 2);
    m.def("op_denoise_step",
          &denoise_step,
          nb::kw_only(),
          arg("entropy"),
          arg("sampled"),
          arg("renoise"),
          arg("pinned"),
          arg("argmax"),
          arg("previous_argmax"),
          arg("same_steps"),
          arg("entropy_bound"),
          arg("stability_threshold"),
          arg("confidence_threshold"));
    m.def("op_philox", &philox_words, arg("counter"), arg("seed"));
    m.def("op_count_tasks", &count_tasks, arg("threads"), arg("tasks"), arg("runs"));
}

}  // namespace sfumato::bindings
