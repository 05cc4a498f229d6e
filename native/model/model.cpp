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
      pinned_(static_cast<size_t>(config_.canvas), -1) {
    check(device_ == Device::cpu || compute_ == Compute::fast,
          "reference mode computes on the CPU only");
    full_.values =
        frequencies(config_.head_dim_full, config_.rope_base_full, weights_.rope_freqs.data());
    sliding_.values = frequencies(config_.head_dim_sliding, config_.rope_base_sliding, nullptr);
    const size_t canvas = pinned_.size(), step_bytes = StepMemory::bytes(canvas);
    ids_memory_ = stream_->allocate_shared(static_cast<size_t>(largest_pass_) * sizeof(int32_t),
                                           "the tokens of a pass");
    ids_ = {reinterpret_cast<int32_t*>(ids_memory_.data()), static_cast<size_t>(largest_pass_)};
    host_steps_memory_ = stream_->allocate_shared(2 * step_bytes, "the canvas");
    host_steps_ = {StepMemory(host_steps_memory_.data(), canvas),
                   StepMemory(host_steps_memory_.data() + step_bytes, canvas)};
    take_activations(nullptr);
    if (device_ != Device::cpu) scratch_bytes_ = measure_scratch();
    plan_memory(options);
}

// What was launched uses memory that goes now.
Model::~Model() {
    try {
        catch_up();
    } catch (const std::exception&) {  // of a device that has failed, which was told
    }
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
    device_step_ = StepMemory(memory + activation_bytes_, pinned_.size());
    activation_bytes_ += StepMemory::bytes(pinned_.size());
}

// Both passes at the far end of the context, where attention takes most.
size_t Model::measure_scratch() {
    stream_->measuring = true;
    std::fill(ids_.begin(), ids_.end(), 0);
    if (compute_ == Compute::fast)
        ops::embedding_sum(device(), {.embedding = weights_.embedding, .out = embedding_sum_});
    const int rows = std::min(largest_pass_, context());
    cache_.advance(context() - rows);
    encode({ids_.data(), static_cast<size_t>(rows)}, nullptr);
    cache_.truncate(0);
    cache_.advance(context() - config_.canvas);
    run_step(false, 0);
    cache_.truncate(0);
    if (fits_one_pass(pinned_.size()) && 2 * config_.canvas <= context()) {
        cache_.advance(context() - 2 * config_.canvas);
        run_step(true, config_.canvas);
    }
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
    if (angles_position_ >= 0 && first_position >= angles_position_ &&
        first_position + rows <= angles_position_ + angles_rows_)
        return;
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

View<const float> Model::angles(int layer, int first_position, int rows) const {
    const Angles& a = config_.is_sliding(layer) ? sliding_ : full_;
    const View<const float> table{a.table, angles_rows_, config_.head_dim(layer)};
    return {table.row(first_position - angles_position_), rows, table.width};
}

void Model::embed(const Context& context, std::span<const int32_t> ids, View<float> out) {
    ops::embed(context,
               {.embedding = weights_.embedding,
                .ids = ids,
                .scale = std::sqrt(static_cast<float>(config_.hidden)),
                .out = out});
}

// The encoder's rows and then a canvas. `all`: else the encoder's stop at the last layer's keys and
// values.
void Model::run_layers(const Context& context, View<float> x, int encoder_rows, bool all) {
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
                   .angles = angles(layer, first, x.rows),
                   .first_position = first,
                   .encoder_rows = encoder_rows,
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
    embed(context, ids_.first(ids.size()), x);
    run_layers(context, x, rows, hidden != nullptr);
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

std::vector<int32_t> Model::begin_canvas(const CanvasOptions& options) {
    const size_t canvas = pinned_.size();
    check(options.start.empty() || options.start.size() == canvas,
          "start has ",
          options.start.size(),
          " tokens for a canvas of ",
          canvas);
    check_tokens(options.start, true);
    check_tokens(options.commit, false);
    catch_up();
    set_pins(options.pinned);
    cache_.prepare(static_cast<int>(options.commit.size()) + config_.canvas);
    commit_.assign(options.commit.begin(), options.commit.end());
    if (!fits_one_pass(commit_.size())) {
        prefill(commit_);
        commit_.clear();
    }
    step_ = 0;
    const StepMemory& begun = latest();
    for (size_t i = 0; i < canvas; ++i) {
        const int32_t start = options.start.empty() ? -1 : options.start[i];
        const auto position = static_cast<uint32_t>(i);
        const Draw noise = draw(options.seed, options.block, 0, position, config_.vocab);
        begun.canvas[i] = pinned_[i] >= 0 ? pinned_[i] : start >= 0 ? start : noise.token;
        begun.previous_argmax[i] = -1;
    }
    *begun.state = {.mean_entropy = 0.0f, .same_steps = 0, .stable = false, .settled = false};
    stream_->copy(device_step_.outcome.data(), begun.outcome.data(), begun.outcome.size());
    options_ = options;
    options_.start = options_.pinned = options_.commit = {};
    recording_.reset();  // it knows another position
    refining_ = true;
    return {begun.canvas.begin(), begun.canvas.end()};
}

void Model::set_canvas(std::span<const int32_t> ids) {
    check(ids.size() == pinned_.size(), ids.size(), " tokens for a canvas of ", pinned_.size());
    check_tokens(ids, false);
    check_still();
    put_canvas(ids);
}

void Model::set_pinned(std::span<const int32_t> pinned) {
    check_still();
    set_pins(pinned);
    put_canvas(latest().canvas);
}

void Model::set_pins(std::span<const int32_t> pinned) {
    check(pinned.empty() || pinned.size() == pinned_.size(),
          "pinned has ",
          pinned.size(),
          " tokens for a canvas of ",
          pinned_.size());
    check_tokens(pinned, true);
    std::fill(pinned_.begin(), pinned_.end(), -1);
    std::copy(pinned.begin(), pinned.end(), pinned_.begin());
}

void Model::put_canvas(std::span<const int32_t> ids) {
    const std::span<int32_t> canvas = latest().canvas;
    for (size_t i = 0; i < ids.size(); ++i) canvas[i] = pinned_[i] >= 0 ? pinned_[i] : ids[i];
    stream_->copy(device_step_.canvas.data(), canvas.data(), canvas.size_bytes());
}

// A CPU gains nothing by it: it computes longer than it reads. And it could not be stopped between
// the two.
bool Model::fits_one_pass(size_t commit) const {
    return commit == 0 || (device_ != Device::cpu && commit <= pinned_.size() &&
                           2 * pinned_.size() <= static_cast<size_t>(largest_pass_));
}

// A step's recording can be skipped by the device alone, and asks nothing of the host.
bool Model::steps_ahead() const {
    return stream_->skips_recordings() && weights_.main_memory_bytes() == 0;
}

// Until the step ahead is done, which nobody will ask for.
void Model::catch_up() {
    if (ahead_) stream_->wait();
    ahead_ = false;
}

// A step ahead of a settled canvas does nothing.
void Model::check_still() const {
    check(!ahead_ || latest().state->settled, "the next step has begun already");
}

// What this step's logits say, and from it the next step's self-conditioning.
void Model::believe(const Context& context, Kept& kept) {
    const float scale = std::sqrt(static_cast<float>(config_.hidden));
    const bool sparse = compute_ == Compute::fast;
    const StepMemory& step = device_step_;
    ops::logits(context,
                {.hidden = hidden_,
                 .embedding = weights_.head,
                 .softcap = config_.softcap,
                 .temperature = *step.temperature,
                 .uniform = step.uniform.data(),
                 .argmax = step.argmax.data(),
                 .sampled = step.sampled.data(),
                 .entropy = step.entropy.data(),
                 .log_total = step.log_total.data(),
                 .kept = sparse ? &kept : nullptr});
    if (sparse)
        ops::soft_embedding(context,
                            {.kept = kept,
                             .hidden = hidden_,
                             .head = weights_.head,
                             .embedding = weights_.embedding,
                             .softcap = config_.softcap,
                             .temperature = *step.temperature,
                             .log_total = step.log_total.data(),
                             .sum = embedding_sum_,
                             .pinned = step.pinned,
                             .scale = scale,
                             .out = soft_});
    else
        ops::dense_soft_embedding(context,
                                  {.hidden = hidden_,
                                   .head = weights_.head,
                                   .embedding = weights_.embedding,
                                   .softcap = config_.softcap,
                                   .temperature = *step.temperature,
                                   .log_total = step.log_total.data(),
                                   .pinned = step.pinned,
                                   .scale = scale,
                                   .out = soft_});
}

// From the canvas to the next one: the same operations on the same memory in every step but the
// first, which has nothing to be conditioned on. In front of the canvas may be rows of ids_ that
// the cache takes; a layer has their keys and values when the canvas looks.
void Model::run_step(bool first, int encoder_rows) {
    const Context context = device();
    const StepMemory& step = device_step_;
    Arena::Scope scope(scratch_);
    const float eps = config_.rms_eps;
    const View<float> all = scratch_.take<float>(encoder_rows + config_.canvas, config_.hidden);
    const View<float> x{all.row(encoder_rows), config_.canvas, config_.hidden};
    if (encoder_rows > 0)
        embed(context, ids_.first(static_cast<size_t>(encoder_rows)), all.first(encoder_rows));
    embed(context, step.canvas, x);
    View<float> belief;
    if (!first) {
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
    run_layers(context, all, encoder_rows, false);
    ops::rms_norm(context, {.x = x, .weight = weights_.output_norm, .eps = eps, .out = hidden_});
    Kept kept{.token = scratch_.take<int32_t>(config_.canvas, Kept::most),
              .p = scratch_.take<float>(config_.canvas, Kept::most),
              .count = scratch_.take<int32_t>(step.canvas.size())};
    believe(context, kept);
    ops::denoise_step(context,
                      {.entropy = step.entropy,
                       .sampled = step.sampled,
                       .renoise = step.renoise,
                       .pinned = step.pinned,
                       .entropy_bound = options_.entropy_bound,
                       .stability_threshold = options_.stability_threshold,
                       .confidence_threshold = options_.confidence_threshold,
                       .argmax = step.argmax,
                       .previous_argmax = step.previous_argmax,
                       .same_steps = step.state->same_steps,
                       .canvas = step.canvas,
                       .accepted = step.accepted,
                       .mean_entropy = step.state->mean_entropy,
                       .stable = step.state->stable,
                       .settled = step.state->settled});
}

// Everything of a step, from the host's draws to its outcome on the host, which nobody waits for.
void Model::launch_step(int step,
                        float temperature,
                        std::span<const float> uniform,
                        std::span<const int32_t> renoise) {
    const int slot = step % Stream::slots;
    const StepMemory& host = host_steps_[static_cast<size_t>(slot)];
    *host.temperature = temperature;
    for (size_t i = 0; i < pinned_.size(); ++i) {
        const Draw d = draw(options_.seed,
                            options_.block,
                            static_cast<uint32_t>(step + 1),
                            static_cast<uint32_t>(i),
                            config_.vocab);
        host.uniform[i] = uniform.empty() ? d.uniform : uniform[i];
        host.renoise[i] = renoise.empty() ? d.token : renoise[i];
        host.pinned[i] = pinned_[i];
    }
    stream_->copy(device_step_.given.data(), host.given.data(), host.given.size());
    // A device may load an operation's code when it first runs, which must not be while recording.
    if (step == 0) {
        std::copy(commit_.begin(), commit_.end(), ids_.begin());
        const int rows = static_cast<int>(commit_.size());
        run_step(true, rows);
        cache_.advance(rows);
        commit_.clear();
    } else if (!ran_all_operations_) {
        run_step(false, 0);
        ran_all_operations_ = true;
    } else {
        stream_->repeat(recording_, steps_ahead() ? &device_step_.state->settled : nullptr, [&] {
            run_step(false, 0);
        });
    }
    stream_->copy(host.outcome.data(), device_step_.outcome.data(), host.outcome.size());
    stream_->mark(slot);
}

Step Model::denoise(float temperature,
                    std::optional<float> then,
                    std::span<const float> uniform,
                    std::span<const int32_t> renoise) {
    check(refining_, "there is no canvas to refine: call begin_canvas first");
    for (float t : {temperature, then.value_or(1.0f)})
        check(t > 0.0f && std::isfinite(t), "a temperature of ", t);
    check(uniform.empty() || uniform.size() == pinned_.size(),
          "uniform has ",
          uniform.size(),
          " numbers for a canvas of ",
          pinned_.size());
    check(renoise.empty() || renoise.size() == pinned_.size(),
          "renoise has ",
          renoise.size(),
          " tokens for a canvas of ",
          pinned_.size());
    check_tokens(renoise, false);
    const StepMemory &before = latest(), &host = host_steps_[static_cast<size_t>(step_) % 2];
    if (before.state->settled) {  // whoever asks for a step all the same gets one
        catch_up();
        before.state->settled = false;
        stream_->copy(&device_step_.state->settled, &before.state->settled, sizeof(bool));
    }
    check(!ahead_ || (temperature == *host.temperature && uniform.empty() && renoise.empty()),
          "the next step has begun already, at a temperature of ",
          *host.temperature);
    cache_.prepare(static_cast<int>(commit_.size()) + config_.canvas);
    refining_ = false;  // until this has succeeded
    if (!ahead_) launch_step(step_, temperature, uniform, renoise);
    ahead_ = then && steps_ahead() && ran_all_operations_;
    if (ahead_) launch_step(step_ + 1, *then, {}, {});
    stream_->wait_for(step_ % Stream::slots);
    check_host();
    const auto finite = [](std::span<const float> values) {
        return std::all_of(values.begin(), values.end(), [](float v) { return std::isfinite(v); });
    };
    // 8-bit activations of the CPU hide what is no number, so the head's input is looked at as
    // well.
    check((device_ != Device::cpu || finite({hidden_.data, hidden_.size()})) &&
              finite(host.entropy) && finite(host.log_total),
          "the model computed something that is no number; its file may be damaged");
    ++step_;
    refining_ = true;
    const auto copied = []<class T>(std::span<T> array) {
        return std::vector<T>(array.begin(), array.end());
    };
    return {.argmax = copied(host.argmax),
            .sampled = copied(host.sampled),
            .canvas = copied(host.canvas),
            .entropy = copied(host.entropy),
            .accepted = copied(host.accepted),
            .mean_entropy = host.state->mean_entropy,
            .stable = host.state->stable,
            .settled = host.state->settled};
}

void Model::last_logits(float* out) {
    check(step_ > 0, "there was no step yet");
    check_still();
    const size_t bytes = pinned_.size() * static_cast<size_t>(config_.vocab) * sizeof(float);
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
    const size_t canvas = pinned_.size(), vocab = static_cast<size_t>(config_.vocab);
    check(step_ > 0, "there was no step yet");
    check_still();
    const StepMemory& host = latest();
    check(
        logits.size() == canvas * vocab, logits.size(), " logits for [", canvas, ", ", vocab, "]");
    for (size_t r = 0; r < canvas; ++r) {
        double total = 0.0;
        for (float logit : logits.subspan(r * vocab, vocab))
            total += std::exp(static_cast<double>(logit) / static_cast<double>(temperature));
        host.log_total[r] = static_cast<float>(std::log(total));
    }
    stream_->copy(
        device_step_.log_total.data(), host.log_total.data(), host.log_total.size_bytes());
    stream_->copy(device_step_.pinned.data(), pinned_.data(), pinned_.size() * sizeof(int32_t));
    const Buffer given = stream_->allocate(logits.size_bytes(), "logits");
    stream_->copy(given.data(), logits.data(), logits.size_bytes());
    ops::dense_soft_embedding(
        device(),
        {.hidden = hidden_,
         .head = weights_.head,
         .embedding = weights_.embedding,
         .softcap = config_.softcap,
         .temperature = temperature,
         .log_total = device_step_.log_total.data(),
         .logits = {reinterpret_cast<float*>(given.data()), config_.canvas, config_.vocab},
         .pinned = device_step_.pinned,
         .scale = std::sqrt(static_cast<float>(config_.hidden)),
         .out = soft_});
    stream_->wait();
}

}  // namespace sfumato
