#include "model/weights.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstddef>

#include "ops/matrix.h"

namespace sfumato {
namespace {

constexpr size_t batch_bytes = 64u << 20;  // of the file, read and packed at once
constexpr size_t read_bytes = 2u << 20;    // by one thread

std::string text(const std::vector<int64_t>& shape) {
    std::string out = "[";
    for (int64_t n : shape) out += (out.size() > 1 ? ", " : "") + std::to_string(n);
    return out + "]";
}

size_t aligned(size_t bytes) { return (bytes + 63) / 64 * 64; }

}  // namespace

Weights::Weights(const std::string& path,
                 const std::vector<TensorInfo>& tensors,
                 const ModelConfig& config,
                 const Context& context,
                 Profile profile)
    : file_(path), compute_(context.compute), profile_(profile), experts_(config.experts) {
    for (const TensorInfo& t : tensors) tensors_.emplace(t.name, t);
    plan(config);
    for (Job& job : jobs_) job.packed = aligned(ops::packed_bytes(context, *job.matrix));
    for (const Floats& job : float_jobs_)
        float_bytes_ += aligned(job.values.size() * sizeof(float));
    lay_out();
    tensors_.clear();
}

void Weights::plan(const ModelConfig& config) {
    plan_vocabulary("token_embd.weight", config, embedding_slabs_, embedding);
    if (tensors_.contains("output.weight"))
        plan_vocabulary("output.weight", config, head_slabs_, head);
    else
        head = embedding;
    floats("output_norm.weight", {config.hidden}, output_norm);
    rope_freqs = values("rope_freqs.weight", {config.head_dim_full / 2});
    floats("self_cond_pre_norm.weight", {config.hidden}, self_cond_pre_norm);
    matrix("self_cond_gate.weight", config.dense_ffn, config.hidden, self_cond_gate);
    matrix("self_cond_up.weight", config.dense_ffn, config.hidden, self_cond_up);
    matrix("self_cond_down.weight", config.hidden, config.dense_ffn, self_cond_down);
    layers.resize(static_cast<size_t>(config.layers));
    away_.resize(layers.size());
    for (int layer = 0; layer < config.layers; ++layer) plan_layer(config, layer);
}

void Weights::plan_layer(const ModelConfig& config, int layer) {
    LayerWeights& l = layers[static_cast<size_t>(layer)];
    const std::string prefix = "blk." + std::to_string(layer) + ".";
    const int hidden = config.hidden, d = config.head_dim(layer);
    const int q_width = config.heads * d, kv_width = config.key_heads(layer) * d;
    const auto norm = [&](const char* name, int width, const float*& target) {
        floats(prefix + name + ".weight", {width}, target);
    };
    const auto scale = [&](const char* name) { return values(prefix + name + ".weight", {1})[0]; };
    norm("attn_norm", hidden, l.attn_norm);
    norm("post_attention_norm", hidden, l.post_attention_norm);
    norm("ffn_norm", hidden, l.ffn_norm);
    norm("pre_ffw_norm_2", hidden, l.pre_ffw_norm_2);
    norm("post_ffw_norm_1", hidden, l.post_ffw_norm_1);
    norm("post_ffw_norm_2", hidden, l.post_ffw_norm_2);
    norm("post_ffw_norm", hidden, l.post_ffw_norm);
    norm("attn_q_norm", d, l.attn_q_norm);
    norm("attn_k_norm", d, l.attn_k_norm);
    l.canvas_scale = scale("layer_output_scale");
    l.encoder_scale = scale("enc_layer_output_scale");
    matrix(prefix + "attn_q.weight", q_width, hidden, l.attn_q);
    matrix(prefix + "attn_k.weight", kv_width, hidden, l.attn_k);
    l.has_attn_v = tensors_.contains(prefix + "attn_v.weight");
    if (l.has_attn_v) matrix(prefix + "attn_v.weight", kv_width, hidden, l.attn_v);
    matrix(prefix + "attn_output.weight", hidden, q_width, l.attn_output);
    matrix(prefix + "ffn_gate.weight", config.dense_ffn, hidden, l.ffn_gate);
    matrix(prefix + "ffn_up.weight", config.dense_ffn, hidden, l.ffn_up);
    matrix(prefix + "ffn_down.weight", hidden, config.dense_ffn, l.ffn_down);
    plan_experts(config, prefix, l);
}

void Weights::plan_experts(const ModelConfig& config, const std::string& prefix, LayerWeights& l) {
    const int hidden = config.hidden, ffn = config.expert_ffn, experts = config.experts;
    floats(prefix + "ffn_gate_inp.weight", {hidden, experts}, l.router);
    floats(prefix + "ffn_gate_inp.scale", {hidden}, l.router_scale);
    for (float& s : float_jobs_.back().values) s /= std::sqrt(static_cast<float>(hidden));
    floats(prefix + "ffn_down_exps.scale", {experts}, l.expert_scale);
    for (auto* matrices : {&l.expert_gate, &l.expert_up, &l.expert_down})
        matrices->resize(static_cast<size_t>(experts));
    // Published files keep gate and up of an expert together, rows of the gate first.
    const bool together = tensors_.contains(prefix + "ffn_gate_up_exps.weight");
    const auto find = [&](const char* name, int rows) -> const TensorInfo& {
        return tensor(prefix + name, {hidden, rows, experts});
    };
    const TensorInfo& gate =
        together ? find("ffn_gate_up_exps.weight", 2 * ffn) : find("ffn_gate_exps.weight", ffn);
    const TensorInfo& up = together ? gate : find("ffn_up_exps.weight", ffn);
    const TensorInfo& down = tensor(prefix + "ffn_down_exps.weight", {ffn, hidden, experts});
    // All of an expert together, so that it is one piece of memory.
    for (int e = 0; e < experts; ++e) {
        const auto i = static_cast<size_t>(e);
        const int64_t first = static_cast<int64_t>(e) * (together ? 2 * ffn : ffn);
        const size_t job = jobs_.size();
        expert(gate, first, ffn, hidden, l.expert_gate[i]);
        expert(up, first + (together ? ffn : 0), ffn, hidden, l.expert_up[i]);
        expert(down, static_cast<int64_t>(e) * hidden, hidden, ffn, l.expert_down[i]);
        for (size_t j = job; j < jobs_.size(); ++j) {
            jobs_[j].layer = static_cast<int>(&l - layers.data());
            jobs_[j].expert = e;
        }
    }
}

void Weights::plan_vocabulary(const std::string& name,
                              const ModelConfig& config,
                              std::vector<Matrix>& slabs,
                              Embedding& out) {
    const TensorInfo& t = tensor(name, {config.hidden, config.vocab});
    slabs.resize(
        static_cast<size_t>((config.vocab + Embedding::slab_rows - 1) / Embedding::slab_rows));
    for (size_t i = 0; i < slabs.size(); ++i) {
        const int first = static_cast<int>(i) * Embedding::slab_rows;
        const int rows = std::min(Embedding::slab_rows, config.vocab - first);
        rows_of(t, first, rows, config.hidden, slabs[i]);
    }
    out = {.slabs = slabs, .vocab = config.vocab, .hidden = config.hidden};
}

void Weights::matrix(const std::string& name, int outputs, int inputs, Matrix& out) {
    rows_of(tensor(name, {inputs, outputs}), 0, outputs, inputs, out);
}

void Weights::rows_of(
    const TensorInfo& t, int64_t first_row, int outputs, int inputs, Matrix& out) {
    const auto type = static_cast<DType>(t.type);
    const size_t row = row_bytes(type, inputs);
    // 8-bit products take whole groups of activations.
    const Compute compute = inputs % cpu::group == 0 ? compute_ : Compute::reference;
    out = {.type = type, .compute = compute, .outputs = outputs, .inputs = inputs, .data = nullptr};
    jobs_.push_back({&out,
                     t.offset + static_cast<uint64_t>(first_row) * row,
                     static_cast<size_t>(outputs) * row,
                     false});
}

void Weights::expert(const TensorInfo& t, int64_t first_row, int outputs, int inputs, Matrix& out) {
    rows_of(t, first_row, outputs, inputs, out);
    if (profile_ == Profile::exact || out.type != DType::q8_0) return;
    out.type = DType::q5_0;
    jobs_.back().round = true;
}

double Weights::rounding_error() const {
    return rounding_.weights > 0.0 ? std::sqrt(rounding_.difference / rounding_.weights) : 0.0;
}

const TensorInfo& Weights::tensor(const std::string& name,
                                  const std::vector<int64_t>& shape) const {
    const auto found = tensors_.find(name);
    check(found != tensors_.end(), "tensor ", name, " is missing");
    const TensorInfo& t = found->second;
    check(t.shape == shape, "tensor ", name, " is ", text(t.shape), ", not ", text(shape));
    check(is_dtype(t.type), "tensor ", name, " has type ", t.type, ", which is not supported");
    const auto type = static_cast<DType>(t.type);
    check(shape[0] % block_of(type).elements == 0,
          "tensor ",
          name,
          " has rows of ",
          shape[0],
          " in blocks of ",
          block_of(type).elements);
    uint64_t bytes = row_bytes(type, shape[0]);
    for (size_t i = 1; i < shape.size(); ++i) bytes *= static_cast<uint64_t>(shape[i]);
    check(t.offset <= file_.size() && bytes <= file_.size() - t.offset,
          "tensor ",
          name,
          " ends at byte ",
          t.offset + bytes,
          " of a file of ",
          file_.size());
    return t;
}

std::vector<float> Weights::values(const std::string& name,
                                   const std::vector<int64_t>& shape) const {
    const TensorInfo& t = tensor(name, shape);
    const auto type = static_cast<DType>(t.type);
    const int64_t rows = shape.size() > 1 ? shape[1] : 1;
    const size_t row = row_bytes(type, shape[0]);
    std::vector<std::byte> raw(row * static_cast<size_t>(rows));
    check(file_.read(t.offset, raw.data(), raw.size()), "tensor ", name, " cannot be read");
    std::vector<float> out(static_cast<size_t>(shape[0] * rows));
    for (int64_t r = 0; r < rows; ++r)
        dequantize_row(
            type, raw.data() + static_cast<size_t>(r) * row, shape[0], out.data() + r * shape[0]);
    return out;
}

void Weights::floats(const std::string& name,
                     const std::vector<int64_t>& shape,
                     const float*& target) {
    float_jobs_.push_back({values(name, shape), &target});
}

// Addresses are offsets until load() knows where the memory begins.
void Weights::lay_out() {
    packed_bytes_ = streamed_bytes_ = host_bytes_ = place_bytes_ = 0;
    for (Away& a : away_) a.bytes = 0;
    for (Job& job : jobs_) {
        job.place = Place::device;
        if (job.layer >= 0) {
            const Away& a = away_[static_cast<size_t>(job.layer)];
            if (job.expert >= experts_ - a.count()) job.place = Place::streamed;
            if (job.expert >= experts_ - a.host) job.place = Place::host;
        }
        size_t& end = job.place == Place::device     ? packed_bytes_
                      : job.place == Place::streamed ? streamed_bytes_
                                                     : host_bytes_;
        if (job.place == Place::streamed) {
            Away& a = away_[static_cast<size_t>(job.layer)];
            if (a.bytes == 0) a.at = end;
            a.bytes += job.packed;
            place_bytes_ = std::max(place_bytes_, a.bytes);
        }
        job.at = end;
        end += job.packed;
    }
    places_at_ = packed_bytes_;
    packed_bytes_ += Stream::slots * place_bytes_;
    for (Job& job : jobs_) job.matrix->data = place_of(job);
}

// Of its matrix, where it is computed.
std::byte* Weights::place_of(const Job& job) const {
    const auto at = [](const Buffer& memory, size_t offset) {
        return reinterpret_cast<std::byte*>(reinterpret_cast<uintptr_t>(memory.data()) + offset);
    };
    if (job.place == Place::device) return at(packed_, job.at);
    if (job.place == Place::host) return at(host_, job.at);
    int turn = 0;  // of the layer, among those that stream
    for (int layer = 0; layer < job.layer; ++layer)
        if (away_[static_cast<size_t>(layer)].streamed > 0) ++turn;
    const size_t slot = static_cast<size_t>(turn % Stream::slots);
    const size_t in_layer = job.at - away_[static_cast<size_t>(job.layer)].at;
    return at(packed_, places_at_ + slot * place_bytes_ + in_layer);
}

std::vector<size_t> Weights::expert_bytes() const {
    std::vector<size_t> each(layers.size());
    for (const Job& job : jobs_)
        if (job.layer >= 0 && job.expert == 0) each[static_cast<size_t>(job.layer)] += job.packed;
    return each;
}

int Weights::most_host_experts() const {
    int most = 0;
    for (const Away& a : away_) most = std::max(most, a.host);
    return most;
}

bool Weights::stream(size_t most, float host_share) {
    if (bytes() <= most) return true;
    const auto host_of = [&](int away) {
        return std::min(static_cast<int>(std::lround(host_share * static_cast<float>(away))),
                        experts_ - 1);  // the device keeps one of every layer
    };
    const std::vector<size_t> each = expert_bytes();
    const size_t everything = bytes(), largest = *std::max_element(each.begin(), each.end());
    size_t away = 0;
    for (int i = 0; i < experts_ * static_cast<int>(layers.size()); ++i) {
        const auto layer = static_cast<size_t>(i) % layers.size();
        const int count = away_[layer].count() + 1;
        away_[layer].host = host_of(count);
        away_[layer].streamed = count - away_[layer].host;
        away += each[layer];
        int most_streamed = 0;
        for (const Away& a : away_) most_streamed = std::max(most_streamed, a.streamed);
        const size_t places = Stream::slots * static_cast<size_t>(most_streamed) * largest;
        if (everything - away + places > most) continue;
        lay_out();
        return true;
    }
    for (Away& a : away_) a = {};
    return false;
}

// The host packs its experts in its own way, and they are no business of the device.
void Weights::give_to_host(const Context& context) {
    const Context host{.device = Device::cpu,
                       .compute = context.compute,
                       .threads = context.threads,
                       .scratch = context.scratch};
    for (Job& job : jobs_)
        if (job.place == Place::host) job.packed = aligned(ops::packed_bytes(host, *job.matrix));
    lay_out();
    for (size_t i = 0; i < layers.size(); ++i) {
        const auto here = static_cast<size_t>(experts_ - away_[i].host);
        LayerWeights& l = layers[i];
        HostExperts& h = l.host_experts;
        for (auto [device, on_host] : {std::pair{&l.expert_gate, &h.gate},
                                       std::pair{&l.expert_up, &h.up},
                                       std::pair{&l.expert_down, &h.down}}) {
            on_host->assign(device->begin() + static_cast<ptrdiff_t>(here), device->end());
            for (Job& job : jobs_)
                if (job.place == Place::host && job.layer == static_cast<int>(i) &&
                    job.matrix >= device->data() && job.matrix < device->data() + device->size())
                    job.matrix = &(*on_host)[static_cast<size_t>(job.expert) - here];
            device->resize(here);
        }
    }
}

void Weights::place_floats(Stream& stream) {
    floats_ = stream.allocate(float_bytes_, "the model");
    size_t at = 0;
    for (const Floats& job : float_jobs_) {
        auto* place = reinterpret_cast<float*>(floats_.data() + at);
        stream.copy(place, job.values.data(), job.values.size() * sizeof(float));
        *job.target = place;
        at += aligned(job.values.size() * sizeof(float));
    }
    stream.wait();
    float_jobs_.clear();
}

// Batch by batch from the file to staging memory, repacked on the host. A device of its own gets a
// packed batch as one copy, while the next one is read; so the file's weights are in main memory
// only a batch at a time.
void Weights::load(const Context& context, const std::function<bool(double)>& progress) {
    place_floats(*context.stream);
    if (host_bytes_ != 0) give_to_host(context);
    packed_ = context.stream->allocate(packed_bytes_, "the model");
    streamed_ = context.stream->allocate_shared(streamed_bytes_, "what does not fit on the GPU");
    host_ = Buffer(host_bytes_, "the processor's share of the model");
    size_t total = 0, largest = 0, largest_packed = 0, done = 0;
    for (const Job& job : jobs_) {
        job.matrix->data = place_of(job);
        total += job.bytes;
        largest = std::max(largest, aligned(job.bytes));
        largest_packed = std::max(largest_packed, job.packed);
    }
    const Buffer staging(std::max(batch_bytes, largest), "reading the model");
    const size_t packed_batch = std::max(batch_bytes, largest_packed);
    const bool direct = context.device == Device::cpu;
    Buffer outgoing[2];
    if (!direct)
        for (Buffer& b : outgoing)
            b = context.stream->allocate_shared(packed_batch, "copying the model");
    std::vector<size_t> at(jobs_.size());  // of each job's bytes in the staging memory
    size_t copies = 0;
    for (size_t first = 0; first < jobs_.size();) {
        size_t end = first, used = 0;
        const Place place = jobs_[first].place;
        for (; end < jobs_.size() && jobs_[end].place == place &&
               used + aligned(jobs_[end].bytes) <= staging.bytes() &&
               jobs_[end].end() - jobs_[first].at <= packed_batch;
             ++end) {
            at[end] = used;
            used += aligned(jobs_[end].bytes);
            done += jobs_[end].bytes;
        }
        read(context.threads, first, end, at, staging.data());
        round(context.threads, first, end, at, staging.data());
        const size_t begin = jobs_[first].at, bytes = jobs_[end - 1].end() - begin;
        if (direct || place != Place::device) {
            const Buffer& memory = place == Place::streamed ? streamed_
                                   : place == Place::host   ? host_
                                                            : packed_;
            pack(context, first, end, at, staging.data(), memory.data() + begin);
        } else {
            const Buffer& out = outgoing[copies++ % 2];
            pack(context, first, end, at, staging.data(), out.data());
            context.stream
                ->wait();  // for the batch before, so that its memory is free for the next
            context.stream->copy(packed_.data() + begin, out.data(), bytes);
        }
        first = end;
        if (progress && !progress(static_cast<double>(done) / static_cast<double>(total))) {
            context.stream->wait();
            fail<Cancelled>("loading was cancelled");
        }
    }
    std::vector<ExpertStream::Layer> streamed;
    for (const Away& a : away_) streamed.push_back({streamed_.data() + a.at, a.bytes});
    expert_stream.begin(*context.stream, streamed, packed_.data() + places_at_, place_bytes_);
    context.stream->wait();
    jobs_.clear();
}

void Weights::read(
    Threads& threads, size_t first, size_t end, const std::vector<size_t>& at, std::byte* staging) {
    struct Piece {
        uint64_t offset;
        size_t at, bytes;
    };
    std::vector<Piece> pieces;
    for (size_t i = first; i < end; ++i)
        for (size_t from = 0; from < jobs_[i].bytes; from += read_bytes)
            pieces.push_back({jobs_[i].offset + from,
                              at[i] + from,
                              std::min(read_bytes, jobs_[i].bytes - from)});
    std::atomic<bool> failed{false};
    threads.run(static_cast<int>(pieces.size()), [&](int task, int) {
        const Piece& p = pieces[static_cast<size_t>(task)];
        if (!file_.read(p.offset, staging + p.at, p.bytes)) failed.store(true);
    });
    check(!failed.load(), "the model file became shorter or unreadable while it was loaded");
}

void Weights::round(
    Threads& threads, size_t first, size_t end, const std::vector<size_t>& at, std::byte* staging) {
    std::vector<RoundingError> errors(end - first);  // summed in order: the same on every machine
    threads.run(static_cast<int>(errors.size()), [&](int task, int) {
        const auto i = static_cast<size_t>(task);
        const Job& job = jobs_[first + i];
        const auto block = static_cast<size_t>(block_of(DType::q8_0).bytes);
        if (job.round) errors[i] = q8_0_to_q5_0(staging + at[first + i], job.bytes / block);
    });
    for (const RoundingError& e : errors) {
        rounding_.difference += e.difference;
        rounding_.weights += e.weights;
    }
}

// `packed`: where the first job's matrix begins.
void Weights::pack(const Context& context,
                   size_t first,
                   size_t end,
                   const std::vector<size_t>& at,
                   const std::byte* staging,
                   std::byte* packed) {
    std::vector<int> first_task;  // of each job
    int tasks = 0;
    for (size_t i = first; i < end; ++i) {
        first_task.push_back(tasks);
        tasks += jobs_[i].matrix->panels();
    }
    Context host = context;
    host.device = Device::cpu;
    context.threads.run(tasks, [&](int task, int) {
        const auto after = std::upper_bound(first_task.begin(), first_task.end(), task);
        const auto index = static_cast<size_t>(after - first_task.begin()) - 1;
        const Job& job = jobs_[first + index];
        Matrix here = *job.matrix;
        here.data = packed + (job.at - jobs_[first].at);
        ops::pack_panel(job.place == Place::host ? host : context,
                        staging + at[first + index],
                        here,
                        task - first_task[index]);
    });
}

}  // namespace sfumato
