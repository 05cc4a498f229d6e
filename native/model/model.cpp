#include "model/model.h"

#include <algorithm>
#include <cmath>

#include "core/random.h"
#include "model/layer.h"
#include "ops/denoise_step.h"
#include "ops/rms_norm.h"
#include "ops/rope.h"
#include "ops/self_condition.h"

namespace sfumato {
namespace {

// Rows of one prefill pass: enough that most experts are used by many of them.
constexpr int prefill_rows = 512;

ModelConfig checked(ModelConfig config, int context) {
    config.check_shape();
    check(context >= config.canvas && context <= config.context_length,
          "a context of ",
          context,
          " tokens: the model takes ",
          config.canvas,
          " to ",
          config.context_length);
    return config;
}

// θ^(-2i/d), divided by `divisors` where given (MODEL.md 1.3).
std::vector<float> frequencies(int head_dim, float base, const float* divisors) {
    std::vector<float> out;
    for (int i = 0; i < head_dim / 2; ++i) {
        const double f = std::pow(static_cast<double>(base), -2.0 * i / head_dim);
        out.push_back(static_cast<float>(divisors == nullptr ? f : f / divisors[i]));
    }
    return out;
}

}  // namespace

Model::Model(const std::string& path,
             const std::vector<TensorInfo>& tensors,
             ModelConfig config,
             const ModelOptions& options)
    : config_(checked(std::move(config), options.context)),
      compute_(options.compute),
      largest_pass_(std::max(prefill_rows, config_.canvas)),
      threads_(options.threads),
      weights_(path, tensors, config_, compute_, threads_, options.progress),
      cache_(config_, options.context, largest_pass_, compute_ == Compute::fast) {
    const auto rows = static_cast<size_t>(largest_pass_);
    full_ = {frequencies(config_.head_dim_full, config_.rope_base_full, weights_.rope_freqs),
             std::vector<float>(rows * static_cast<size_t>(config_.head_dim_full))};
    sliding_ = {frequencies(config_.head_dim_sliding, config_.rope_base_sliding, nullptr),
                std::vector<float>(rows * static_cast<size_t>(config_.head_dim_sliding))};
    const auto canvas = static_cast<size_t>(config_.canvas),
               hidden = static_cast<size_t>(config_.hidden);
    for (auto* ids : {&canvas_, &pinned_, &previous_argmax_, &argmax_, &sampled_, &renoise_})
        ids->resize(canvas);
    for (auto* values : {&uniform_, &entropy_, &log_total_}) values->resize(canvas);
    accepted_.resize(canvas);
    hidden_.resize(canvas * hidden);
    soft_.resize(canvas * hidden);
    if (compute_ == Compute::fast) {
        embedding_sum_.resize(hidden);
        ops::embedding_sum(device(),
                           {.embedding = weights_.embedding, .out = embedding_sum_.data()});
    }
}

Context Model::device() {
    return {.device = Device::cpu, .compute = compute_, .threads = threads_, .scratch = scratch_};
}

void Model::check_tokens(std::span<const int32_t> ids, bool free_allowed) const {
    for (int32_t id : ids)
        check(id >= (free_allowed ? -1 : 0) && id < config_.vocab,
              "token ",
              id,
              " is not in the vocabulary of ",
              config_.vocab);
}

void Model::prepare_angles(const Context& context, int first_position, int rows) {
    if (first_position == angles_position_ && rows <= angles_rows_) return;
    const auto fill = [&](Angles& a) {
        const int head_dim = static_cast<int>(a.frequencies.size()) * 2;
        ops::angles(context,
                    {.first_position = first_position,
                     .frequencies = a.frequencies.data(),
                     .out = {a.table.data(), rows, head_dim}});
    };
    fill(full_);
    fill(sliding_);
    angles_position_ = first_position;
    angles_rows_ = rows;
}

View<const float> Model::angles(int layer, int rows) const {
    const Angles& a = config_.is_sliding(layer) ? sliding_ : full_;
    return {a.table.data(), rows, config_.head_dim(layer)};
}

// `all`: else the last layer stops at its keys and values.
void Model::run_layers(const Context& context, View<float> x, bool encoder, bool all) {
    const int first = cache_.position();
    prepare_angles(context, first, x.rows);
    for (int layer = 0; layer < config_.layers; ++layer)
        run_layer(context,
                  {.config = config_,
                   .weights = weights_.layers[static_cast<size_t>(layer)],
                   .layer = layer,
                   .kv = cache_.layer(layer),
                   .angles = angles(layer, x.rows),
                   .first_position = first,
                   .encoder = encoder,
                   .keys_only = !all && layer == config_.layers - 1,
                   .x = x});
}

void Model::prefill(std::span<const int32_t> ids, float* hidden) {
    check_tokens(ids, false);
    check(ids.size() <= static_cast<size_t>(context() - position()),
          "the context of ",
          context(),
          " tokens is full: ",
          position(),
          " are used, ",
          ids.size(),
          " more do not fit");
    refining_ = false;
    while (!ids.empty()) {
        const size_t count = std::min(ids.size(), static_cast<size_t>(largest_pass_));
        encode(ids.first(count), hidden);
        if (hidden != nullptr) hidden += count * static_cast<size_t>(config_.hidden);
        ids = ids.subspan(count);
    }
}

void Model::encode(std::span<const int32_t> ids, float* hidden) {
    const Context context = device();
    Arena::Scope scope(scratch_);
    const int rows = static_cast<int>(ids.size());
    cache_.prepare(rows);
    const View<float> x = scratch_.take<float>(rows, config_.hidden);
    ops::embed(context,
               {.embedding = weights_.embedding,
                .ids = ids,
                .scale = std::sqrt(static_cast<float>(config_.hidden)),
                .out = x});
    run_layers(context, x, true, hidden != nullptr);
    if (hidden != nullptr)
        ops::rms_norm(context,
                      {.x = x,
                       .weight = weights_.output_norm,
                       .eps = config_.rms_eps,
                       .out = {hidden, rows, config_.hidden}});
    cache_.advance(rows);
}

void Model::truncate(int position) {
    cache_.truncate(position);
    refining_ = false;
}

void Model::begin_canvas(const CanvasOptions& options) {
    const auto canvas = static_cast<size_t>(config_.canvas);
    check(options.start.empty() || options.start.size() == canvas,
          "start has ",
          options.start.size(),
          " tokens for a canvas of ",
          canvas);
    check_tokens(options.start, true);
    set_pinned(options.pinned);
    cache_.prepare(config_.canvas);
    for (size_t i = 0; i < canvas; ++i) {
        const int32_t start = options.start.empty() ? -1 : options.start[i];
        const auto position = static_cast<uint32_t>(i);
        const Draw noise = draw(options.seed, options.block, 0, position, config_.vocab);
        canvas_[i] = pinned_[i] >= 0 ? pinned_[i] : start >= 0 ? start : noise.token;
        previous_argmax_[i] = -1;
    }
    options_ = options;
    options_.start = options_.pinned = {};
    same_steps_ = 0;
    step_ = 0;
    refining_ = true;
}

void Model::set_canvas(std::span<const int32_t> ids) {
    check(ids.size() == canvas_.size(), ids.size(), " tokens for a canvas of ", canvas_.size());
    check_tokens(ids, false);
    for (size_t i = 0; i < ids.size(); ++i) canvas_[i] = pinned_[i] >= 0 ? pinned_[i] : ids[i];
}

void Model::set_pinned(std::span<const int32_t> pinned) {
    check(pinned.empty() || pinned.size() == pinned_.size(),
          "pinned has ",
          pinned.size(),
          " tokens for a canvas of ",
          pinned_.size());
    check_tokens(pinned, true);
    for (size_t i = 0; i < pinned_.size(); ++i) {
        pinned_[i] = pinned.empty() ? -1 : pinned[i];
        if (pinned_[i] >= 0) canvas_[i] = pinned_[i];
    }
}

void Model::draw_step(std::span<const float> uniform, std::span<const int32_t> renoise) {
    const size_t canvas = canvas_.size();
    check(uniform.empty() || uniform.size() == canvas,
          "uniform has ",
          uniform.size(),
          " numbers for a canvas of ",
          canvas);
    check(renoise.empty() || renoise.size() == canvas,
          "renoise has ",
          renoise.size(),
          " tokens for a canvas of ",
          canvas);
    check_tokens(renoise, false);
    for (size_t i = 0; i < canvas; ++i) {
        const Draw d = draw(options_.seed,
                            options_.block,
                            static_cast<uint32_t>(step_ + 1),
                            static_cast<uint32_t>(i),
                            config_.vocab);
        uniform_[i] = uniform.empty() ? d.uniform : uniform[i];
        renoise_[i] = renoise.empty() ? d.token : renoise[i];
    }
}

// What this step's logits say, and from it the next step's self-conditioning.
void Model::believe(const Context& context, float temperature, Kept& kept) {
    const float scale = std::sqrt(static_cast<float>(config_.hidden));
    const View<float> hidden{hidden_.data(), config_.canvas, config_.hidden};
    const View<float> soft{soft_.data(), config_.canvas, config_.hidden};
    const bool sparse = compute_ == Compute::fast;
    ops::logits(context,
                {.hidden = hidden,
                 .embedding = weights_.head,
                 .softcap = config_.softcap,
                 .temperature = temperature,
                 .uniform = uniform_.data(),
                 .argmax = argmax_.data(),
                 .sampled = sampled_.data(),
                 .entropy = entropy_.data(),
                 .log_total = log_total_.data(),
                 .kept = sparse ? &kept : nullptr});
    const auto finite = [](const std::vector<float>& values) {
        return std::all_of(values.begin(), values.end(), [](float v) { return std::isfinite(v); });
    };
    // 8-bit activations hide what is no number, so the head's input is looked at as well.
    check(finite(hidden_) && finite(entropy_) && finite(log_total_),
          "the model computed something that is no number; its file may be damaged");
    if (sparse)
        ops::soft_embedding(context,
                            {.kept = kept,
                             .embedding = weights_.embedding,
                             .sum = embedding_sum_.data(),
                             .pinned = pinned_,
                             .scale = scale,
                             .out = soft});
    else
        ops::dense_soft_embedding(context,
                                  {.hidden = hidden,
                                   .head = weights_.head,
                                   .embedding = weights_.embedding,
                                   .softcap = config_.softcap,
                                   .temperature = temperature,
                                   .log_total = log_total_.data(),
                                   .pinned = pinned_,
                                   .scale = scale,
                                   .out = soft});
}

Step Model::denoise(float temperature,
                    std::span<const float> uniform,
                    std::span<const int32_t> renoise) {
    check(refining_, "there is no canvas to refine: call begin_canvas first");
    check(temperature > 0.0f && std::isfinite(temperature), "a temperature of ", temperature);
    draw_step(uniform, renoise);
    cache_.prepare(config_.canvas);
    const Context context = device();
    Arena::Scope scope(scratch_);
    const float eps = config_.rms_eps;
    const View<float> x = scratch_.take<float>(config_.canvas, config_.hidden);
    ops::embed(context,
               {.embedding = weights_.embedding,
                .ids = canvas_,
                .scale = std::sqrt(static_cast<float>(config_.hidden)),
                .out = x});
    View<float> belief;
    if (step_ > 0) {
        belief = scratch_.take<float>(config_.canvas, config_.hidden);
        ops::self_condition(context,
                            {.soft = {soft_.data(), config_.canvas, config_.hidden},
                             .norm = weights_.self_cond_pre_norm,
                             .eps = eps,
                             .gate = weights_.self_cond_gate,
                             .up = weights_.self_cond_up,
                             .down = weights_.self_cond_down,
                             .out = belief});
    }
    ops::rms_norm(context, {.x = x, .plus = belief, .eps = eps, .out = x});
    run_layers(context, x, false, true);
    ops::rms_norm(context,
                  {.x = x,
                   .weight = weights_.output_norm,
                   .eps = eps,
                   .out = {hidden_.data(), config_.canvas, config_.hidden}});
    Kept kept{.token = scratch_.take<int32_t>(config_.canvas, Kept::most),
              .p = scratch_.take<float>(config_.canvas, Kept::most),
              .count = scratch_.take<int32_t>(canvas_.size())};
    believe(context, temperature, kept);

    Step step;
    ops::denoise_step(context,
                      {.entropy = entropy_,
                       .sampled = sampled_,
                       .renoise = renoise_,
                       .pinned = pinned_,
                       .entropy_bound = options_.entropy_bound,
                       .stability_threshold = options_.stability_threshold,
                       .confidence_threshold = options_.confidence_threshold,
                       .argmax = argmax_,
                       .previous_argmax = previous_argmax_,
                       .same_steps = same_steps_,
                       .canvas = canvas_,
                       .accepted = accepted_,
                       .mean_entropy = step.mean_entropy,
                       .stable = step.stable,
                       .settled = step.settled});
    ++step_;
    step.argmax = argmax_;
    step.sampled = sampled_;
    step.canvas = canvas_;
    step.entropy = entropy_;
    step.accepted = accepted_;
    return step;
}

void Model::last_logits(float* out) {
    check(step_ > 0, "there was no step yet");
    ops::full_logits(device(),
                     {.hidden = {hidden_.data(), config_.canvas, config_.hidden},
                      .embedding = weights_.head,
                      .softcap = config_.softcap,
                      .out = {out, config_.canvas, config_.vocab}});
}

void Model::set_beliefs(std::span<const float> logits, float temperature) {
    const size_t canvas = canvas_.size(), vocab = static_cast<size_t>(config_.vocab);
    check(step_ > 0, "there was no step yet");
    check(
        logits.size() == canvas * vocab, logits.size(), " logits for [", canvas, ", ", vocab, "]");
    std::vector<float> log_total(canvas);
    for (size_t r = 0; r < canvas; ++r) {
        double total = 0.0;
        for (float logit : logits.subspan(r * vocab, vocab))
            total += std::exp(static_cast<double>(logit) / static_cast<double>(temperature));
        log_total[r] = static_cast<float>(std::log(total));
    }
    ops::dense_soft_embedding(device(),
                              {.hidden = {hidden_.data(), config_.canvas, config_.hidden},
                               .head = weights_.head,
                               .embedding = weights_.embedding,
                               .softcap = config_.softcap,
                               .temperature = temperature,
                               .log_total = log_total.data(),
                               .logits = {logits.data(), config_.canvas, config_.vocab},
                               .pinned = pinned_,
                               .scale = std::sqrt(static_cast<float>(config_.hidden)),
                               .out = {soft_.data(), config_.canvas, config_.hidden}});
}

}  // namespace sfumato
