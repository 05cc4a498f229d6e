#include "model/model.h"

#include <algorithm>
#include <chrono>
#include <cmath>

#include "core/random.h"
#include "model/layer.h"
#include "ops/denoise_step.h"
#include "ops/devices.h"
#include "ops/rms_norm.h"
#include "ops/rope.h"
#include "ops/self_condition.h"

namespace sfumato {
namespace {

// Rows of one prefill pass: enough that most experts are used by many of them. A canvas' worth of
// them needs no memory that a step would not.
int prefill_rows(const ModelOptions& o) {
    return o.device == Device::cuda && o.profile == Profile::compact ? 256 : 512;
}

// Positions that a conversation can go back without its beginning being read again. On a GPU memory
// is dearer, and reading is quick.
int rewind(const ModelOptions& o) {
    if (o.device == Device::cpu) return 4096;
    return o.profile == Profile::compact ? 0 : 512;
}

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
      device_(options.device),
      largest_pass_(std::max(prefill_rows(options), config_.canvas)),
      threads_(options.threads),
      stream_(ops::open(options.device, options.gpu)),
      scratch_(*stream_),
      weights_(path, tensors, config_, device(), options.profile),
      cache_(config_, options.context, largest_pass_, rewind(options), compute_ == Compute::fast),
      ids_(*stream_, static_cast<size_t>(largest_pass_)),
      canvas_(*stream_, static_cast<size_t>(config_.canvas)),
      pinned_(*stream_, canvas_.size()),
      previous_argmax_(*stream_, canvas_.size()),
      argmax_(*stream_, canvas_.size()),
      sampled_(*stream_, canvas_.size()),
      renoise_(*stream_, canvas_.size()),
      uniform_(*stream_, canvas_.size()),
      entropy_(*stream_, canvas_.size()),
      log_total_(*stream_, canvas_.size()),
      accepted_(*stream_, canvas_.size()),
      state_(*stream_, 1) {
    check(device_ == Device::cpu || compute_ == Compute::fast,
          "reference mode computes on the CPU only");
    full_.values =
        frequencies(config_.head_dim_full, config_.rope_base_full, weights_.rope_freqs.data());
    sliding_.values = frequencies(config_.head_dim_sliding, config_.rope_base_sliding, nullptr);
    take_activations(nullptr);
    if (device_ != Device::cpu) scratch_bytes_ = measure_scratch();
    plan_memory(options);
}

Context Model::device() {
    return {.device = device_,
            .compute = compute_,
            .threads = threads_,
            .scratch = scratch_,
            .stream = stream_.get()};
}

void Model::load(const std::function<bool(double)>& progress) {
    cache_.allocate(*stream_);
    activations_ = stream_->allocate(activation_bytes_, "working memory");
    take_activations(activations_.data());
    for (const Angles* a : {&full_, &sliding_})
        stream_->copy(a->frequencies, a->values.data(), a->values.size() * sizeof(float));
    if (scratch_bytes_ != 0) scratch_.reserve(scratch_bytes_);
    if (const int most = weights_.most_host_experts(); most > 0)
        host_ = std::make_unique<HostShare>(
            *stream_, threads_, largest_pass_, config_.hidden, config_.experts_used, most);
    weights_.load(device(), progress);
    for (LayerWeights& layer : weights_.layers) layer.host_experts.share = host_.get();
    if (compute_ == Compute::fast)
        ops::embedding_sum(device(), {.embedding = weights_.embedding, .out = embedding_sum_});
    stream_->wait();
}

MemoryPlan Model::memory() const {
    const Stream::Overhead overhead = stream_->overhead();
    return {.weights = weights_.bytes(),
            .kv_cache = cache_.bytes(),
            .scratch = activation_bytes_ + std::max(scratch_bytes_, scratch_.bytes()),
            .recordings = overhead.recording,
            .context = overhead.context,
            .main_memory = weights_.main_memory_bytes()};
}

// Everything that the device will ever hold is counted before anything is taken. What does not fit
// stays in main memory, as far as it can.
void Model::plan_memory(const ModelOptions& options) {
    size_t free = stream_->free_memory();
    if (free == 0) return;
    if (options.memory != 0) free = std::min(free, options.memory);
    const MemoryPlan plan = memory();
    const size_t needed = plan.total() - plan.context, others = needed - plan.weights;
    const auto megabytes = [](size_t bytes) { return bytes / 1'000'000; };
    const float share = needed <= free           ? 0.0f
                        : options.host_share < 0 ? balanced_share()
                                                 : std::min(options.host_share, 1.0f);
    if (others > free || !weights_.stream(free - others, share))
        fail<OutOfMemory>("the model needs ",
                          megabytes(needed),
                          " MB on the GPU (weights ",
                          megabytes(plan.weights),
                          ", a context of ",
                          context(),
                          " tokens ",
                          megabytes(plan.kv_cache),
                          ", working memory ",
                          megabytes(plan.scratch + plan.recordings),
                          "), but ",
                          megabytes(free),
                          " MB are free");
    const size_t beyond = weights_.main_memory_bytes(), room = available_memory();
    if (beyond != 0 && room != 0 && beyond > room)
        fail<OutOfMemory>("the model needs ",
                          megabytes(needed),
                          " MB on the GPU, where ",
                          megabytes(free),
                          " MB are free; for the ",
                          megabytes(beyond),
                          " MB of experts beyond that main memory has only ",
                          megabytes(room),
                          " MB");
}

// With it the host computes an expert while the bus brings another, each measured alone. In
// eighths, so that it is nearly always the same on a machine.
float Model::balanced_share() {
    const auto seconds = [](auto&& work) {
        double best = 1e9;
        for (int i = 0; i < 3; ++i) {
            const auto begin = std::chrono::steady_clock::now();
            work();
            const std::chrono::duration<double> time = std::chrono::steady_clock::now() - begin;
            best = std::min(best, time.count());
        }
        return best;
    };
    const size_t expert_bytes = weights_.expert_bytes()[0];
    const Buffer from = stream_->allocate_shared(expert_bytes, "an expert"),
                 to = stream_->allocate(expert_bytes, "an expert");
    const double copied = seconds([&] {
        stream_->prefetch(0, to.data(), from.data(), expert_bytes);
        stream_->arrive(0);
        stream_->wait();
    });
    const LayerWeights& like = weights_.layers[0];
    const int experts = std::min(threads_.count(), config_.experts);
    const int pairs = std::max(1, config_.canvas * config_.experts_used / config_.experts);
    HostShare share(*stream_, threads_, pairs * experts, config_.hidden, 1, experts);
    HostExperts some{.gate = {}, .up = {}, .down = {}, .share = &share};
    std::vector<Buffer> zeros;
    for (auto [matrix, into] : {std::pair{&like.expert_gate[0], &some.gate},
                                std::pair{&like.expert_up[0], &some.up},
                                std::pair{&like.expert_down[0], &some.down}})
        for (int e = 0; e < experts; ++e) {
            const size_t bytes =
                cpu::packed_bytes(matrix->type, matrix->compute, matrix->outputs, matrix->inputs);
            zeros.emplace_back(bytes, "an expert");
            into->push_back(*matrix);
            into->back().data = zeros.back().data();
        }
    for (int e = 0; e <= experts; ++e) share.first[e] = e * pairs;
    for (int p = 0; p < pairs * experts; ++p) share.token[p] = p;
    std::fill_n(share.x.data, share.x.size(), 0.0f);
    const double computed = seconds([&] { ops::host_experts(some); }) / experts;
    return std::floor(static_cast<float>(8.0 * copied / (copied + computed))) / 8.0f;
}

void Model::check_host() const {
    if (host_ && host_->failed)
        fail<OutOfMemory>("main memory ran out while the processor computed its experts");
}

// Divides `memory`, and counts the bytes.
void Model::take_activations(std::byte* memory) {
    activation_bytes_ = 0;
    const auto take = [&](int rows, int width) {
        auto* at = reinterpret_cast<float*>(memory + activation_bytes_);
        activation_bytes_ +=
            (static_cast<size_t>(rows) * static_cast<size_t>(width) * 4 + 127) / 128 * 128;
        return at;
    };
    const int hidden = config_.hidden;
    embedding_sum_ = take(1, hidden);
    hidden_ = {take(config_.canvas, hidden), config_.canvas, hidden};
    soft_ = {take(config_.canvas, hidden), config_.canvas, hidden};
    for (auto [angles, width] : {std::pair{&full_, config_.head_dim_full},
                                 std::pair{&sliding_, config_.head_dim_sliding}}) {
        angles->frequencies = take(1, width / 2);
        angles->table = take(largest_pass_, width);
    }
}

// Both passes at the far end of the context, where attention takes most.
size_t Model::measure_scratch() {
    stream_->measuring = true;
    std::fill(ids_.begin(), ids_.end(), 0);
    std::fill(canvas_.begin(), canvas_.end(), 0);
    state_[0] = {.temperature = 1.0f,
                 .mean_entropy = 0.0f,
                 .same_steps = 0,
                 .stable = false,
                 .settled = false};
    if (compute_ == Compute::fast)
        ops::embedding_sum(device(), {.embedding = weights_.embedding, .out = embedding_sum_});
    const int rows = std::min(largest_pass_, context());
    cache_.advance(context() - rows);
    encode({ids_.data(), static_cast<size_t>(rows)}, nullptr);
    cache_.truncate(0);
    cache_.advance(context() - config_.canvas);
    step_ = 1;
    run_step();
    step_ = 0;
    cache_.truncate(0);
    angles_position_ = -1;
    stream_->measuring = false;
    return scratch_.measured();
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
        const int head_dim = static_cast<int>(a.values.size()) * 2;
        ops::angles(context,
                    {.first_position = first_position,
                     .frequencies = a.frequencies,
                     .out = {a.table, rows, head_dim}});
    };
    fill(full_);
    fill(sliding_);
    angles_position_ = first_position;
    angles_rows_ = rows;
}

View<const float> Model::angles(int layer, int rows) const {
    const Angles& a = config_.is_sliding(layer) ? sliding_ : full_;
    return {a.table, rows, config_.head_dim(layer)};
}

// `all`: else the last layer stops at its keys and values.
void Model::run_layers(const Context& context, View<float> x, bool encoder, bool all) {
    const int first = cache_.position();
    prepare_angles(context, first, x.rows);
    weights_.expert_stream.begin_pass(*stream_);
    for (int layer = 0; layer < config_.layers; ++layer)
        run_layer(context,
                  {.config = config_,
                   .weights = weights_.layers[static_cast<size_t>(layer)],
                   .experts = weights_.expert_stream,
                   .layer = layer,
                   .kv = cache_.layer(layer),
                   .angles = angles(layer, x.rows),
                   .first_position = first,
                   .encoder = encoder,
                   .keys_only = !all && layer == config_.layers - 1,
                   .x = x});
    weights_.expert_stream.end_pass(*stream_);
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
    std::copy(ids.begin(), ids.end(), ids_.begin());
    const View<float> x = scratch_.take<float>(rows, config_.hidden);
    ops::embed(context,
               {.embedding = weights_.embedding,
                .ids = {ids_.data(), ids.size()},
                .scale = std::sqrt(static_cast<float>(config_.hidden)),
                .out = x});
    run_layers(context, x, true, hidden != nullptr);
    if (hidden != nullptr) {
        ops::rms_norm(context,
                      {.x = x, .weight = weights_.output_norm, .eps = config_.rms_eps, .out = x});
        stream_->copy(hidden, x.data, x.size() * sizeof(float));
    }
    stream_->wait();  // for the ids, which the next pass overwrites
    check_host();
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
    state_[0].same_steps = 0;
    step_ = 0;
    recording_.reset();  // it knows another position
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
void Model::believe(const Context& context, Kept& kept) {
    const float scale = std::sqrt(static_cast<float>(config_.hidden));
    const bool sparse = compute_ == Compute::fast;
    const std::span<const int32_t> pinned{pinned_.data(), pinned_.size()};
    ops::logits(context,
                {.hidden = hidden_,
                 .embedding = weights_.head,
                 .softcap = config_.softcap,
                 .temperature = state_[0].temperature,
                 .uniform = uniform_.data(),
                 .argmax = argmax_.data(),
                 .sampled = sampled_.data(),
                 .entropy = entropy_.data(),
                 .log_total = log_total_.data(),
                 .kept = sparse ? &kept : nullptr});
    if (sparse)
        ops::soft_embedding(context,
                            {.kept = kept,
                             .hidden = hidden_,
                             .head = weights_.head,
                             .embedding = weights_.embedding,
                             .softcap = config_.softcap,
                             .temperature = state_[0].temperature,
                             .log_total = log_total_.data(),
                             .sum = embedding_sum_,
                             .pinned = pinned,
                             .scale = scale,
                             .out = soft_});
    else
        ops::dense_soft_embedding(context,
                                  {.hidden = hidden_,
                                   .head = weights_.head,
                                   .embedding = weights_.embedding,
                                   .softcap = config_.softcap,
                                   .temperature = state_[0].temperature,
                                   .log_total = log_total_.data(),
                                   .pinned = pinned,
                                   .scale = scale,
                                   .out = soft_});
}

// From the canvas to the next one: the same operations on the same memory in every step but the
// first, which has nothing to be conditioned on.
void Model::run_step() {
    const Context context = device();
    Arena::Scope scope(scratch_);
    const float eps = config_.rms_eps;
    const auto all = [](const SharedArray<int32_t>& a) {
        return std::span<int32_t>{a.data(), a.size()};
    };
    const View<float> x = scratch_.take<float>(config_.canvas, config_.hidden);
    ops::embed(context,
               {.embedding = weights_.embedding,
                .ids = all(canvas_),
                .scale = std::sqrt(static_cast<float>(config_.hidden)),
                .out = x});
    View<float> belief;
    if (step_ > 0) {
        belief = scratch_.take<float>(config_.canvas, config_.hidden);
        ops::self_condition(context,
                            {.soft = soft_,
                             .norm = weights_.self_cond_pre_norm,
                             .eps = eps,
                             .gate = weights_.self_cond_gate,
                             .up = weights_.self_cond_up,
                             .down = weights_.self_cond_down,
                             .out = belief});
    }
    ops::rms_norm(context, {.x = x, .plus = belief, .eps = eps, .out = x});
    run_layers(context, x, false, true);
    ops::rms_norm(context, {.x = x, .weight = weights_.output_norm, .eps = eps, .out = hidden_});
    Kept kept{.token = scratch_.take<int32_t>(config_.canvas, Kept::most),
              .p = scratch_.take<float>(config_.canvas, Kept::most),
              .count = scratch_.take<int32_t>(canvas_.size())};
    believe(context, kept);
    ops::denoise_step(context,
                      {.entropy = {entropy_.data(), entropy_.size()},
                       .sampled = all(sampled_),
                       .renoise = all(renoise_),
                       .pinned = all(pinned_),
                       .entropy_bound = options_.entropy_bound,
                       .stability_threshold = options_.stability_threshold,
                       .confidence_threshold = options_.confidence_threshold,
                       .argmax = all(argmax_),
                       .previous_argmax = all(previous_argmax_),
                       .same_steps = state_[0].same_steps,
                       .canvas = all(canvas_),
                       .accepted = {accepted_.data(), accepted_.size()},
                       .mean_entropy = state_[0].mean_entropy,
                       .stable = state_[0].stable,
                       .settled = state_[0].settled});
}

Step Model::denoise(float temperature,
                    std::span<const float> uniform,
                    std::span<const int32_t> renoise) {
    check(refining_, "there is no canvas to refine: call begin_canvas first");
    check(temperature > 0.0f && std::isfinite(temperature), "a temperature of ", temperature);
    draw_step(uniform, renoise);
    cache_.prepare(config_.canvas);
    state_[0].temperature = temperature;
    // A device may load an operation's code when it first runs, which must not be while recording.
    if (step_ == 0 || !ran_all_operations_) {
        run_step();
        ran_all_operations_ = step_ > 0;
    } else {
        stream_->repeat(recording_, [&] { run_step(); });
    }
    stream_->wait();
    check_host();
    const auto finite = [](const float* values, size_t count) {
        return std::all_of(values, values + count, [](float v) { return std::isfinite(v); });
    };
    // 8-bit activations of the CPU hide what is no number, so the head's input is looked at as
    // well.
    check((device_ != Device::cpu || finite(hidden_.data, hidden_.size())) &&
              finite(entropy_.data(), entropy_.size()) &&
              finite(log_total_.data(), log_total_.size()),
          "the model computed something that is no number; its file may be damaged");
    ++step_;
    return {.argmax = argmax_.copy(),
            .sampled = sampled_.copy(),
            .canvas = canvas_.copy(),
            .entropy = entropy_.copy(),
            .accepted = accepted_.copy(),
            .mean_entropy = state_[0].mean_entropy,
            .stable = state_[0].stable,
            .settled = state_[0].settled};
}

void Model::last_logits(float* out) {
    check(step_ > 0, "there was no step yet");
    const size_t bytes = canvas_.size() * static_cast<size_t>(config_.vocab) * sizeof(float);
    const Buffer logits = stream_->allocate(bytes, "logits");
    ops::full_logits(
        device(),
        {.hidden = hidden_,
         .embedding = weights_.head,
         .softcap = config_.softcap,
         .out = {reinterpret_cast<float*>(logits.data()), config_.canvas, config_.vocab}});
    stream_->copy(out, logits.data(), bytes);
    stream_->wait();
}

void Model::set_beliefs(std::span<const float> logits, float temperature) {
    const size_t canvas = canvas_.size(), vocab = static_cast<size_t>(config_.vocab);
    check(step_ > 0, "there was no step yet");
    check(
        logits.size() == canvas * vocab, logits.size(), " logits for [", canvas, ", ", vocab, "]");
    for (size_t r = 0; r < canvas; ++r) {
        double total = 0.0;
        for (float logit : logits.subspan(r * vocab, vocab))
            total += std::exp(static_cast<double>(logit) / static_cast<double>(temperature));
        log_total_[r] = static_cast<float>(std::log(total));
    }
    const Buffer given = stream_->allocate(logits.size_bytes(), "logits");
    stream_->copy(given.data(), logits.data(), logits.size_bytes());
    ops::dense_soft_embedding(
        device(),
        {.hidden = hidden_,
         .head = weights_.head,
         .embedding = weights_.embedding,
         .softcap = config_.softcap,
         .temperature = temperature,
         .log_total = log_total_.data(),
         .logits = {reinterpret_cast<float*>(given.data()), config_.canvas, config_.vocab},
         .pinned = {pinned_.data(), pinned_.size()},
         .scale = std::sqrt(static_cast<float>(config_.hidden)),
         .out = soft_});
    stream_->wait();
}

}  // namespace sfumato
