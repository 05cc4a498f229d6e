// Model and Step.
#include <nanobind/nanobind.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <tuple>

#include "bindings/arrays.h"
#include "model/model.h"

namespace sfumato::bindings {
namespace {

using Tensor = std::tuple<std::string, int64_t, std::vector<int64_t>, uint64_t>;

template <class T>
T field(const nb::dict& config, const char* name) {
    check(config.contains(name), "the configuration lacks ", name);
    return nb::cast<T>(config[name]);
}

ModelConfig config_of(const nb::dict& d) {
    return {.layers = field<int>(d, "layers"),
            .hidden = field<int>(d, "hidden"),
            .dense_ffn = field<int>(d, "dense_ffn"),
            .expert_ffn = field<int>(d, "expert_ffn"),
            .experts = field<int>(d, "experts"),
            .experts_used = field<int>(d, "experts_used"),
            .heads = field<int>(d, "heads"),
            .kv_heads = field<std::vector<int>>(d, "kv_heads"),
            .head_dim_full = field<int>(d, "head_dim_full"),
            .head_dim_sliding = field<int>(d, "head_dim_sliding"),
            .sliding = field<std::vector<bool>>(d, "sliding"),
            .window = field<int>(d, "window"),
            .rope_base_full = field<float>(d, "rope_base_full"),
            .rope_base_sliding = field<float>(d, "rope_base_sliding"),
            .rms_eps = field<float>(d, "rms_eps"),
            .softcap = field<float>(d, "softcap"),
            .vocab = field<int>(d, "vocab"),
            .canvas = field<int>(d, "canvas"),
            .context_length = field<int>(d, "context_length")};
}

// The model of a file, its memory counted and not yet taken.
std::unique_ptr<Model> planned(const std::string& path,
                               const std::vector<Tensor>& tensors,
                               const nb::dict& config,
                               const std::string& device,
                               int context,
                               const std::string& compute,
                               const std::string& profile,
                               size_t memory,
                               float cpu_share,
                               int threads) {
    check(compute == "fast" || compute == "reference",
          "compute is ",
          compute,
          ", not fast or reference");
    check(profile == "exact" || profile == "compact",
          "profile is ",
          profile,
          ", not exact or compact");
    const auto [kind, index] = device_of(device);
    const ModelOptions options{.device = kind,
                               .gpu = index,
                               .context = context,
                               .compute = compute == "fast" ? Compute::fast : Compute::reference,
                               .profile = profile == "exact" ? Profile::exact : Profile::compact,
                               .memory = memory,
                               .host_share = cpu_share,
                               .threads = threads};
    const ModelConfig shape = config_of(config);
    std::vector<TensorInfo> infos;
    for (const auto& [name, type, dims, offset] : tensors)
        infos.push_back({name, type, dims, offset});
    nb::gil_scoped_release released;
    return std::make_unique<Model>(path, infos, shape, options);
}

// A Model for Python: one caller at a time, other threads of Python run meanwhile.
class Session {
  public:
    Session(const std::string& path,
            const std::vector<Tensor>& tensors,
            const nb::dict& config,
            const std::string& device,
            int context,
            const std::string& compute,
            const std::string& profile,
            size_t memory,
            float cpu_share,
            int threads,
            nb::object progress)
        : device_(device),
          model_(planned(path,
                         tensors,
                         config,
                         device,
                         context,
                         compute,
                         profile,
                         memory,
                         cpu_share,
                         threads)) {
        std::function<bool(double)> tell;
        if (!progress.is_none())
            tell = [&](double share) {
                nb::gil_scoped_acquire gil;
                return nb::cast<bool>(progress(share));
            };
        nb::gil_scoped_release released;
        model_->load(tell);
    }

    const std::string& device() const { return device_; }
    const Model& model() const { return *model_; }

    template <class Work>
    auto run(Work&& work) {
        nb::gil_scoped_release released;
        const std::scoped_lock lock(busy_);
        return work(*model_);
    }

  private:
    std::string device_;
    std::unique_ptr<Model> model_;
    std::mutex busy_;
};

nb::object prefill(Session& s, nb::handle object, bool hidden) {
    const std::vector<int32_t> ids = ids_of(object);
    const int width = s.model().config().hidden;
    std::vector<float> out(hidden ? ids.size() * static_cast<size_t>(width) : 0);
    s.run([&](Model& m) { m.prefill(ids, hidden ? out.data() : nullptr); });
    if (!hidden) return nb::none();
    return nb::cast(array(std::move(out), ids.size(), width));
}

auto begin_canvas(Session& s,
                  nb::handle start,
                  nb::handle pinned,
                  nb::handle commit,
                  uint64_t seed,
                  uint32_t block,
                  float entropy_bound,
                  int stability_threshold,
                  float confidence_threshold) {
    const std::vector<int32_t> start_ids = ids_of(start), pinned_ids = ids_of(pinned),
                               commit_ids = ids_of(commit);
    const CanvasOptions options{.start = start_ids,
                                .pinned = pinned_ids,
                                .commit = commit_ids,
                                .seed = seed,
                                .block = block,
                                .entropy_bound = entropy_bound,
                                .stability_threshold = stability_threshold,
                                .confidence_threshold = confidence_threshold};
    std::vector<int32_t> canvas = s.run([&](Model& m) { return m.begin_canvas(options); });
    const size_t size = canvas.size();
    return array(std::move(canvas), size);
}

Step denoise(Session& s,
             float temperature,
             std::optional<float> then,
             nb::handle uniform,
             nb::handle renoise) {
    Array<float> draws;
    if (!uniform.is_none()) draws = nb::cast<Array<float>>(uniform);
    const std::vector<int32_t> tokens = ids_of(renoise);
    const std::span<const float> given =
        uniform.is_none() ? std::span<const float>{} : span_of(draws);
    return s.run([&](Model& m) { return m.denoise(temperature, then, given, tokens); });
}

auto last_logits(Session& s) {
    const ModelConfig& c = s.model().config();
    std::vector<float> out(static_cast<size_t>(c.canvas) * static_cast<size_t>(c.vocab));
    s.run([&](Model& m) { m.last_logits(out.data()); });
    return array(std::move(out), c.canvas, c.vocab);
}

auto cached(Session& s, int layer, bool keys) {
    const Model& m = s.model();
    check(layer >= 0 && layer < m.config().layers, "layer ", layer, " of ", m.config().layers);
    const int heads = m.config().key_heads(layer), d = m.config().head_dim(layer);
    const int positions = m.kept_positions(layer);
    std::vector<float> out(static_cast<size_t>(heads) * static_cast<size_t>(positions) *
                           static_cast<size_t>(d));
    s.run([&](Model& model) { model.copy_cache(layer, keys, out.data()); });
    return array(std::move(out), heads, positions, d);
}

nb::dict pools(const MemoryPlan& plan) {
    nb::dict out;
    out["weights"] = plan.weights;
    out["kv_cache"] = plan.kv_cache;
    out["scratch"] = plan.scratch;
    return out;
}

nb::dict plan_of(const MemoryPlan& plan) {
    nb::dict out = pools(plan);
    out["graphs"] = plan.recordings;
    out["cuda"] = plan.context;
    out["main_memory"] = plan.main_memory;
    return out;
}

// An array of the step, alive as long as anyone holds it.
template <class T, auto member>
auto step_array(nb::pointer_and_handle<Step> self) {
    const auto& values = self.p->*member;
    return nb::ndarray<nb::numpy, const T, nb::ndim<1>>(values.data(), {values.size()}, self.h);
}

void bind_step(nb::module_& m) {
    nb::class_<Step>(m, "Step")
        .def_prop_ro("argmax", &step_array<int32_t, &Step::argmax>)
        .def_prop_ro("sampled", &step_array<int32_t, &Step::sampled>)
        .def_prop_ro("canvas", &step_array<int32_t, &Step::canvas>)
        .def_prop_ro("entropy", &step_array<float, &Step::entropy>)
        .def_prop_ro("accepted",
                     [](nb::pointer_and_handle<Step> self) {
                         const auto* flags = reinterpret_cast<const bool*>(self.p->accepted.data());
                         return nb::ndarray<nb::numpy, const bool, nb::ndim<1>>(
                             flags, {self.p->accepted.size()}, self.h);
                     })
        .def_ro("mean_entropy", &Step::mean_entropy)
        .def_ro("stable", &Step::stable)
        .def_ro("settled", &Step::settled);
}

}  // namespace

void bind_model(nb::module_& m) {
    bind_step(m);
    nb::class_<Session>(m, "Model")
        .def(nb::init<const std::string&,
                      const std::vector<Tensor>&,
                      const nb::dict&,
                      const std::string&,
                      int,
                      const std::string&,
                      const std::string&,
                      size_t,
                      float,
                      int,
                      nb::object>(),
             nb::arg("path"),
             nb::arg("tensors"),
             nb::arg("config"),
             nb::kw_only(),
             nb::arg("device") = "cpu",
             nb::arg("context") = 8192,
             nb::arg("compute") = "fast",
             nb::arg("profile") = "exact",
             nb::arg("memory") = 0,
             nb::arg("cpu_share") = -1.0f,
             nb::arg("threads") = 0,
             nb::arg("progress") = nb::none())
        .def_prop_ro("position", [](const Session& s) { return s.model().position(); })
        .def_prop_ro("oldest_rewind", [](const Session& s) { return s.model().oldest_rewind(); })
        .def_prop_ro("context", [](const Session& s) { return s.model().context(); })
        .def_prop_ro("canvas_length", [](const Session& s) { return s.model().config().canvas; })
        .def_prop_ro("device", &Session::device)
        .def_prop_ro("threads", [](const Session& s) { return s.model().threads(); })
        .def_prop_ro("pools", [](const Session& s) { return pools(s.model().memory()); })
        .def_prop_ro("plan", [](const Session& s) { return plan_of(s.model().memory()); })
        .def_prop_ro("rounding_error", [](const Session& s) { return s.model().rounding_error(); })
        .def(
            "prefill", [](Session& s, nb::handle ids) { prefill(s, ids, false); }, nb::arg("ids"))
        .def(
            "prefill_hidden",
            [](Session& s, nb::handle ids) { return prefill(s, ids, true); },
            nb::arg("ids"))
        .def(
            "commit", [](Session& s, nb::handle ids) { prefill(s, ids, false); }, nb::arg("ids"))
        .def(
            "truncate",
            [](Session& s, int position) { s.run([&](Model& m) { m.truncate(position); }); },
            nb::arg("position"))
        .def("begin_canvas",
             &begin_canvas,
             nb::kw_only(),
             nb::arg("start") = nb::none(),
             nb::arg("pinned") = nb::none(),
             nb::arg("commit") = nb::none(),
             nb::arg("seed") = 0,
             nb::arg("block") = 0,
             nb::arg("entropy_bound") = 0.1f,
             nb::arg("stability_threshold") = 1,
             nb::arg("confidence_threshold") = 0.005f)
        .def(
            "set_canvas",
            [](Session& s, nb::handle object) {
                const std::vector<int32_t> ids = ids_of(object);
                s.run([&](Model& m) { m.set_canvas(ids); });
            },
            nb::arg("ids"))
        .def(
            "set_pinned",
            [](Session& s, nb::handle object) {
                const std::vector<int32_t> ids = ids_of(object);
                s.run([&](Model& m) { m.set_pinned(ids); });
            },
            nb::arg("pinned").none())
        .def("denoise",
             &denoise,
             nb::arg("temperature"),
             nb::kw_only(),
             nb::arg("then") = nb::none(),
             nb::arg("uniform") = nb::none(),
             nb::arg("renoise") = nb::none())
        .def("last_logits", &last_logits)
        .def(
            "set_beliefs",
            [](Session& s, Array<float> logits, float temperature) {
                s.run([&](Model& m) { m.set_beliefs(span_of(logits), temperature); });
            },
            nb::arg("logits"),
            nb::arg("temperature"))
        .def(
            "keys", [](Session& s, int layer) { return cached(s, layer, true); }, nb::arg("layer"))
        .def(
            "values",
            [](Session& s, int layer) { return cached(s, layer, false); },
            nb::arg("layer"));
    m.def(
        "plan_memory",
        [](const std::string& path,
           const std::vector<Tensor>& tensors,
           const nb::dict& config,
           const std::string& device,
           int context,
           const std::string& profile,
           size_t memory,
           float cpu_share) {
            const auto model = planned(
                path, tensors, config, device, context, "fast", profile, memory, cpu_share, 0);
            return plan_of(model->memory());
        },
        nb::arg("path"),
        nb::arg("tensors"),
        nb::arg("config"),
        nb::kw_only(),
        nb::arg("device"),
        nb::arg("context"),
        nb::arg("profile") = "exact",
        nb::arg("memory") = 0,
        nb::arg("cpu_share") = -1.0f);
}

}  // namespace sfumato::bindings
