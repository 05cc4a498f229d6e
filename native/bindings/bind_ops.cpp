// Single operations on arrays, for tests and benches. Matrices come as (type, bytes [rows,
// row_bytes]) or, several at once, [matrices, rows, row_bytes].
#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>

#include <array>
#include <memory>
#include <numeric>
#include <optional>
#include <string>

#include "bindings/arrays.h"
#include "core/op_times.h"
#include "core/random.h"
#include "cpu/machine.h"
#include "model/requantize.h"
#include "ops/attention.h"
#include "ops/denoise_step.h"
#include "ops/devices.h"
#include "ops/matrix.h"
#include "ops/moe.h"
#include "ops/rms_norm.h"
#include "ops/rope.h"
#include "ops/self_condition.h"

namespace sfumato::bindings {
namespace {

using Floats = Array<float>;
using Maybe = std::optional<Floats>;
using Bytes = std::pair<int, Array<uint8_t>>;  // type of the file format, blocks

// A device for one call, and arrays that it reaches.
struct Here {
    Threads threads;
    Device device;
    std::unique_ptr<Stream> stream;
    Arena scratch;
    Compute compute;
    std::vector<Buffer> memory;

    Here(const std::string& compute_name, int count, const std::string& device_name = "cpu")
        : threads(count),
          device(device_of(device_name).first),
          stream(ops::open(device, device_of(device_name).second)),
          scratch(*stream),
          compute(compute_name == "reference" ? Compute::reference : Compute::fast) {
        check(compute_name == "reference" || compute_name == "fast",
              "compute is ",
              compute_name,
              ", not fast or reference");
    }
    Context context() {
        return {.device = device,
                .compute = compute,
                .threads = threads,
                .scratch = scratch,
                .stream = stream.get()};
    }

    // `count` values, those of `from` where it is given; alive as long as this.
    template <class T>
    T* shared(size_t count, const T* from = nullptr) {
        memory.push_back(stream->allocate_shared(count * sizeof(T), "an array"));
        auto* data = reinterpret_cast<T*>(memory.back().data());
        if (from != nullptr) std::copy_n(from, count, data);
        return data;
    }
    template <class T>
    std::span<T> shared(std::span<const T> from) {
        return {shared(from.size(), from.data()), from.size()};
    }
    std::span<int32_t> shared(const std::vector<int32_t>& from) {
        return shared(std::span<const int32_t>(from));
    }
    View<const float> view(const Floats& a) {
        check(a.ndim() == 2, "an array of ", a.ndim(), " dimensions, not 2");
        return {
            shared(a.size(), a.data()), static_cast<int>(a.shape(0)), static_cast<int>(a.shape(1))};
    }
    View<const float> view(const Maybe& a) { return a ? view(*a) : View<const float>{}; }
    const float* data(const Maybe& a) { return a ? shared(a->size(), a->data()) : nullptr; }
    template <class T>
    auto array_of(const T* data, size_t count) {
        return array(std::vector<T>(data, data + count), count);
    }

    // Runs `work` on an output [rows, width].
    template <class Work>
    auto result(int rows, int width, Work&& work) {
        const size_t count = static_cast<size_t>(rows) * static_cast<size_t>(width);
        auto* out = shared<float>(count);
        work(View<float>{out, rows, width});
        stream->wait();
        return array(std::vector<float>(out, out + count), rows, width);
    }
};

// Packed matrices, one after another in memory.
struct Packed {
    Buffer memory;
    std::vector<Matrix> matrices;

    // Cuts each of the matrices into pieces of at most `piece_rows`.
    Packed(Here& here, const Bytes& bytes, int piece_rows = 1 << 30) {
        const auto& [number, a] = bytes;
        check(is_dtype(number) && (a.ndim() == 2 || a.ndim() == 3), "no matrices of type ", number);
        const auto type = static_cast<DType>(number);
        const Block block = block_of(type);
        const size_t row = a.shape(a.ndim() - 1);
        const int inputs = static_cast<int>(row) / block.bytes * block.elements;
        const int rows = static_cast<int>(a.shape(a.ndim() - 2));
        const size_t count = a.ndim() == 3 ? a.shape(0) : 1;
        std::vector<size_t> source, at;
        size_t total = 0;
        for (size_t i = 0; i < count; ++i)
            for (int first = 0; first < rows; first += piece_rows) {
                source.push_back((i * static_cast<size_t>(rows) + static_cast<size_t>(first)) *
                                 row);
                matrices.push_back(
                    {.type = type,
                     .compute = inputs % cpu::group == 0 ? here.compute : Compute::reference,
                     .outputs = std::min(piece_rows, rows - first),
                     .inputs = inputs});
                at.push_back(total);
                total += (ops::packed_bytes(here.context(), matrices.back()) + 63) / 64 * 64;
            }
        memory = here.stream->allocate_shared(total, "matrices");
        for (size_t i = 0; i < matrices.size(); ++i) {
            matrices[i].data = memory.data() + at[i];
            for (int panel = 0; panel < matrices[i].panels(); ++panel)
                ops::pack_panel(here.context(),
                                reinterpret_cast<const std::byte*>(a.data()) + source[i],
                                matrices[i],
                                panel);
        }
    }

    Embedding embedding() const {
        Embedding e{.slabs = matrices, .hidden = matrices[0].inputs};
        for (const Matrix& m : matrices) e.vocab += m.outputs;
        return e;
    }
};

auto dequantize(const Bytes& bytes) {
    const auto& [number, a] = bytes;
    check(is_dtype(number) && a.ndim() == 2, "no rows of type ", number);
    const auto type = static_cast<DType>(number);
    const Block block = block_of(type);
    const int elements = static_cast<int>(a.shape(1)) / block.bytes * block.elements;
    return Here("reference", 1)
        .result(static_cast<int>(a.shape(0)), elements, [&](View<float> out) {
            for (int r = 0; r < out.rows; ++r)
                dequantize_row(type,
                               reinterpret_cast<const std::byte*>(a.data()) +
                                   static_cast<size_t>(r) * a.shape(1),
                               elements,
                               out.row(r));
        });
}

auto linear(const Bytes& w,
            const Floats& x,
            const std::string& compute,
            int threads,
            const std::string& device) {
    Here here(compute, threads, device);
    const Packed packed(here, w);
    const Matrix& m = packed.matrices[0];
    const View<const float> in = here.view(x);
    return here.result(in.rows, m.outputs, [&](View<float> out) {
        const Projection projections[] = {{&m, out}};
        ops::linear(here.context(), {.x = in, .projections = projections});
    });
}

// All rows of a matrix.
auto unpack(const Bytes& w, const std::string& compute, const std::string& device) {
    Here here(compute, 1, device);
    const Packed packed(here, w, Embedding::slab_rows);
    const Embedding e = packed.embedding();
    std::vector<int32_t> ids(static_cast<size_t>(e.vocab));
    std::iota(ids.begin(), ids.end(), 0);
    return here.result(e.vocab, e.hidden, [&](View<float> out) {
        ops::embed(here.context(),
                   {.embedding = e, .ids = here.shared(ids), .scale = 1.0f, .out = out});
    });
}

auto rms_norm(const Floats& x,
              const Maybe& weight,
              const Maybe& plus,
              const Maybe& residual,
              float scale,
              float eps,
              const std::string& device) {
    Here here("fast", 2, device);
    const View<const float> in = here.view(x);
    return here.result(in.rows, in.width, [&](View<float> out) {
        ops::rms_norm(here.context(),
                      {.x = in,
                       .plus = here.view(plus),
                       .weight = here.data(weight),
                       .residual = here.view(residual),
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
          float eps,
          const std::string& device) {
    Here here("fast", 2, device);
    const View<const float> in = here.view(x);
    const size_t count = static_cast<size_t>(in.rows) * static_cast<size_t>(head_dim);
    const View<float> angles{here.shared<float>(count), in.rows, head_dim};
    if (frequencies)
        ops::angles(here.context(),
                    {.first_position = first_position,
                     .frequencies = here.data(frequencies),
                     .out = angles});
    return here.result(in.rows, in.width, [&](View<float> out) {
        ops::rope(here.context(),
                  {.x = in,
                   .head_dim = head_dim,
                   .weight = here.data(weight),
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
               int pass,
               const std::string& device) {
    Here here("fast", 2, device);
    const View<const float> k = here.view(keys), v = here.view(values), in = here.view(q);
    const size_t bytes = static_cast<size_t>(capacity) * static_cast<size_t>(k.width) * 4;
    const KeyValues kv{.keys = here.shared<std::byte>(bytes),
                       .values = here.shared<std::byte>(bytes),
                       .half = half,
                       .kv_heads = k.width / head_dim,
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
    return here.result(in.rows, in.width, [&](View<float> out) {
        ops::attention(here.context(),
                       {.q = in,
                        .kv = kv,
                        .first_position = first_position,
                        .causal = causal,
                        .window = window,
                        .out = out});
    });
}

// Blocks of Q8_0 [blocks, 34] as Q5_0 [blocks, 22], and what that changes.
auto rounded(const Array<uint8_t>& blocks) {
    check(blocks.ndim() == 2 && blocks.shape(1) == 34, "no blocks of Q8_0");
    const size_t count = blocks.shape(0);
    std::vector<uint8_t> bytes(blocks.data(), blocks.data() + blocks.size());
    const RoundingError error = q8_0_to_q5_0(reinterpret_cast<std::byte*>(bytes.data()), count);
    bytes.resize(count * 22);
    nb::dict out;
    out["blocks"] = array(std::move(bytes), count, 22);
    out["difference"] = error.difference;
    out["weights"] = error.weights;
    return out;
}

auto mlp(const Floats& x,
         const Bytes& gate,
         const Bytes& up,
         const Bytes& down,
         const std::string& compute,
         const std::string& device) {
    Here here(compute, 2, device);
    const Packed g(here, gate), u(here, up), d(here, down);
    const View<const float> in = here.view(x);
    return here.result(in.rows, d.matrices[0].outputs, [&](View<float> out) {
        ops::mlp(here.context(),
                 {.x = in,
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
         int threads,
         const std::string& device) {
    Here here(compute, threads, device);
    const Packed g(here, gate), u(here, up), d(here, down);
    const View<const float> in = here.view(x);
    return here.result(in.rows, in.width, [&](View<float> out) {
        ops::moe(here.context(),
                 {.a = here.view(a),
                  .x = in,
                  .router = here.shared(router.size(), router.data()),
                  .router_scale = here.shared(router_scale.size(), router_scale.data()),
                  .expert_scale = here.shared(expert_scale.size(), expert_scale.data()),
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
                int threads,
                const std::string& device) {
    Here here(compute, threads, device);
    const Packed packed(here, embedding, Embedding::slab_rows);
    const Embedding e = packed.embedding();
    const View<const float> h = here.view(hidden);
    const auto rows = static_cast<size_t>(h.rows);
    auto* argmax = here.shared<int32_t>(rows);
    auto* sampled = here.shared<int32_t>(rows);
    auto* entropy = here.shared<float>(rows);
    auto* log_total = here.shared<float>(rows);
    auto* sum = here.shared<float>(static_cast<size_t>(e.hidden));
    const float* at_temperature = here.shared(1, &temperature);
    const std::span<const int32_t> pins = here.shared(pinned);
    Kept kept{.token = {here.shared<int32_t>(rows * Kept::most), h.rows, Kept::most},
              .p = {here.shared<float>(rows * Kept::most), h.rows, Kept::most},
              .count = here.shared<int32_t>(rows)};
    ops::logits(here.context(),
                {.hidden = h,
                 .embedding = e,
                 .softcap = softcap,
                 .temperature = *at_temperature,
                 .uniform = here.shared(uniform.size(), uniform.data()),
                 .argmax = argmax,
                 .sampled = sampled,
                 .entropy = entropy,
                 .log_total = log_total,
                 .kept = &kept});
    nb::dict out;
    out["logits"] = here.result(h.rows, e.vocab, [&](View<float> all) {
        ops::full_logits(here.context(),
                         {.hidden = h, .embedding = e, .softcap = softcap, .out = all});
    });
    ops::embedding_sum(here.context(), {.embedding = e, .out = sum});
    out["soft"] = here.result(h.rows, e.hidden, [&](View<float> soft) {
        ops::soft_embedding(here.context(),
                            {.kept = kept,
                             .hidden = h,
                             .head = e,
                             .embedding = e,
                             .softcap = softcap,
                             .temperature = *at_temperature,
                             .log_total = log_total,
                             .sum = sum,
                             .pinned = pins,
                             .scale = scale,
                             .out = soft});
    });
    out["dense_soft"] = here.result(h.rows, e.hidden, [&](View<float> soft) {
        ops::dense_soft_embedding(here.context(),
                                  {.hidden = h,
                                   .head = e,
                                   .embedding = e,
                                   .softcap = softcap,
                                   .temperature = temperature,
                                   .log_total = log_total,
                                   .pinned = pins,
                                   .scale = scale,
                                   .out = soft});
    });
    out["argmax"] = here.array_of(argmax, rows);
    out["sampled"] = here.array_of(sampled, rows);
    out["entropy"] = here.array_of(entropy, rows);
    out["log_total"] = here.array_of(log_total, rows);
    const auto table = [&](const auto* data) {
        using T = std::remove_cvref_t<decltype(*data)>;
        return array(std::vector<T>(data, data + rows * Kept::most), rows, Kept::most);
    };
    out["kept_token"] = table(kept.token.data);
    out["kept_p"] = table(kept.p.data);
    out["kept_count"] = here.array_of(kept.count, rows);
    return out;
}

nb::dict denoise_step(const Floats& entropy,
                      const std::vector<int32_t>& sampled,
                      const std::vector<int32_t>& renoise,
                      const std::vector<int32_t>& pinned,
                      const std::vector<int32_t>& argmax,
                      const std::vector<int32_t>& previous_argmax,
                      int same_steps,
                      float entropy_bound,
                      int stability_threshold,
                      float confidence_threshold,
                      const std::string& device) {
    Here here("fast", 1, device);
    struct State {
        float mean_entropy;
        int same_steps;
        bool stable, settled;
    };
    auto* state = here.shared<State>(1);
    state->same_steps = same_steps;
    const size_t n = argmax.size();
    const std::span<int32_t> drafts = here.shared(argmax), canvas{here.shared<int32_t>(n), n};
    const std::span<uint8_t> accepted{here.shared<uint8_t>(n), n};
    ops::denoise_step(here.context(),
                      {.entropy = here.shared(span_of(entropy)),
                       .sampled = here.shared(sampled),
                       .renoise = here.shared(renoise),
                       .pinned = here.shared(pinned),
                       .entropy_bound = entropy_bound,
                       .stability_threshold = stability_threshold,
                       .confidence_threshold = confidence_threshold,
                       .argmax = drafts,
                       .previous_argmax = here.shared(previous_argmax),
                       .same_steps = state->same_steps,
                       .canvas = canvas,
                       .accepted = accepted,
                       .mean_entropy = state->mean_entropy,
                       .stable = state->stable,
                       .settled = state->settled});
    here.stream->wait();
    nb::dict out;
    out["argmax"] = here.array_of(drafts.data(), n);
    out["canvas"] = here.array_of(canvas.data(), n);
    out["accepted"] = here.array_of(accepted.data(), n);
    out["mean_entropy"] = state->mean_entropy;
    out["same_steps"] = state->same_steps;
    out["stable"] = state->stable;
    out["settled"] = state->settled;
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

nb::list op_times() {
    nb::list out;
    for (const OpTime& t : take_op_times()) out.append(nb::make_tuple(t.name, t.seconds, t.calls));
    return out;
}

nb::dict machine_speed(int count) {
    Threads threads(count);
    const cpu::Machine machine = cpu::measure_machine(threads);
    nb::dict out;
    out["threads"] = threads.count();
    out["bytes_per_second"] = machine.bytes_per_second;
    out["products_per_second"] = machine.products_per_second;
    return out;
}

}  // namespace

void bind_ops(nb::module_& m) {
    using nb::arg;
    m.def("op_dequantize", &dequantize, arg("rows"));
    m.def("op_unpack", &unpack, arg("w"), arg("compute"), arg("device") = "cpu");
    m.def("op_linear",
          &linear,
          arg("w"),
          arg("x"),
          arg("compute"),
          arg("threads") = 2,
          arg("device") = "cpu");
    m.def("op_rms_norm",
          &rms_norm,
          arg("x"),
          nb::kw_only(),
          arg("weight") = nb::none(),
          arg("plus") = nb::none(),
          arg("residual") = nb::none(),
          arg("scale") = 1.0f,
          arg("eps"),
          arg("device") = "cpu");
    m.def("op_rope",
          &rope,
          arg("x"),
          nb::kw_only(),
          arg("head_dim"),
          arg("weight") = nb::none(),
          arg("frequencies") = nb::none(),
          arg("first_position") = 0,
          arg("eps"),
          arg("device") = "cpu");
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
          arg("pass_rows"),
          arg("device") = "cpu");
    m.def("op_mlp",
          &mlp,
          arg("x"),
          arg("gate"),
          arg("up"),
          arg("down"),
          nb::kw_only(),
          arg("compute"),
          arg("device") = "cpu");
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
          arg("threads") = 2,
          arg("device") = "cpu");
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
          arg("threads") = 2,
          arg("device") = "cpu");
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
          arg("confidence_threshold"),
          arg("device") = "cpu");
    m.def("op_round", &rounded, arg("blocks"));
    m.def("op_times", &op_times);
    m.def("machine_speed", &machine_speed, arg("threads") = 0);
    m.def("op_philox", &philox_words, arg("counter"), arg("seed"));
    m.def("op_count_tasks", &count_tasks, arg("threads"), arg("tasks"), arg("runs"));
}

}  // namespace sfumato::bindings
