// A model file's tensors, checked against the network's shape and repacked for the device.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "core/file.h"
#include "core/stream.h"
#include "model/config.h"
#include "model/expert_stream.h"
#include "model/requantize.h"
#include "ops/embed.h"
#include "ops/moe.h"

namespace sfumato {

// How closely weights follow their file.
enum class Profile {
    exact,    // its types
    compact,  // experts of 8 bits become 5-bit ones
};

// Where a tensor lies in its file.
struct TensorInfo {
    std::string name;
    int64_t type = 0;            // number of the file format
    std::vector<int64_t> shape;  // in ggml's order: the row's length first
    uint64_t offset = 0;         // from the file's first byte
};

// Names are those of the file (MODEL.md 4.3).
struct LayerWeights {
    const float* attn_norm = nullptr;  // [hidden], as all norms but q and k
    const float* post_attention_norm = nullptr;
    const float* ffn_norm = nullptr;
    const float* pre_ffw_norm_2 = nullptr;
    const float* post_ffw_norm_1 = nullptr;
    const float* post_ffw_norm_2 = nullptr;
    const float* post_ffw_norm = nullptr;
    const float* attn_q_norm = nullptr;  // [head_dim]
    const float* attn_k_norm = nullptr;  // [head_dim]

    Matrix attn_q, attn_k, attn_v, attn_output;
    bool has_attn_v = false;  // else values come from the key projection
    Matrix ffn_gate, ffn_up, ffn_down;

    const float* router = nullptr;                            // [experts, hidden]
    const float* router_scale = nullptr;                      // [hidden], hidden^-½ included
    const float* expert_scale = nullptr;                      // [experts]
    std::vector<Matrix> expert_gate, expert_up, expert_down;  // of the device's experts
    HostExperts host_experts;                                 // the others

    float canvas_scale = 1.0f;   // layer_output_scale
    float encoder_scale = 1.0f;  // enc_layer_output_scale
};

class Weights {
  public:
    // Checks the tensors and lays out memory. Throws Error, naming file and tensor.
    Weights(const std::string& path,
            const std::vector<TensorInfo>& tensors,
            const ModelConfig& config,
            const Context& context,
            Profile profile);

    // Leaves as many experts in main memory as it takes to make bytes() at most `most`, the last of
    // every layer before the last but one of any. `host_share` of them, from 0 to 1, are computed
    // by the host, the others streamed. False where even all are not enough.
    bool stream(size_t most, float host_share);

    // Bytes of one expert on the device, by layer.
    std::vector<size_t> expert_bytes() const;

    // Takes bytes() of the context's device, and main_memory_bytes(), and fills them. `progress` is
    // told the share that is done and returns false to cancel. Throws Error, OutOfMemory,
    // Cancelled.
    void load(const Context& context, const std::function<bool(double)>& progress);

    Embedding embedding;
    Embedding head;  // the same unless the file has an output.weight
    const float* output_norm = nullptr;
    std::vector<float> rope_freqs;  // [head_dim_full / 2]
    const float* self_cond_pre_norm = nullptr;
    Matrix self_cond_gate, self_cond_up, self_cond_down;
    std::vector<LayerWeights> layers;

    ExpertStream expert_stream;

    size_t bytes() const { return packed_bytes_ + float_bytes_; }
    size_t main_memory_bytes() const { return streamed_bytes_ + host_bytes_; }
    int most_host_experts() const;  // of a layer
    // ‖difference‖ / ‖weights‖ of all that load() rounded to fewer bits; 0: of nothing.
    double rounding_error() const;

  private:
    // Where a matrix lies: the device's memory, or main memory, packed for the device or the host.
    enum class Place { device, streamed, host };

    // A matrix that waits to be read.
    struct Job {
        Matrix* matrix;
        uint64_t offset;              // in the file
        size_t bytes;                 // in the file
        bool round;                   // from Q8_0, in the file, to the matrix' Q5_0
        int layer = -1, expert = -1;  // of an expert's
        size_t packed = 0;            // bytes, once laid out
        Place place = Place::device;
        size_t at = 0;  // in its memory

        size_t end() const { return at + packed; }
    };
    // A layer's experts that the device lacks: the last `host` are computed where they are, those
    // before them stream.
    struct Away {
        int streamed = 0, host = 0;
        size_t at = 0, bytes = 0;  // of those that stream

        int count() const { return streamed + host; }
    };
    // Floats that wait for their place on the device.
    struct Floats {
        std::vector<float> values;
        const float** target;
    };

    void plan(const ModelConfig& config);
    void plan_layer(const ModelConfig& config, int layer);
    void plan_experts(const ModelConfig& config, const std::string& prefix, LayerWeights& l);
    void plan_vocabulary(const std::string& name,
                         const ModelConfig& config,
                         std::vector<Matrix>& slabs,
                         Embedding& embedding);
    void matrix(const std::string& name, int outputs, int inputs, Matrix& out);
    void rows_of(const TensorInfo& tensor, int64_t first_row, int outputs, int inputs, Matrix& out);
    void expert(const TensorInfo& tensor, int64_t first_row, int outputs, int inputs, Matrix& out);
    std::byte* place_of(const Job& job) const;
    void give_to_host(const Context& context);
    const TensorInfo& tensor(const std::string& name, const std::vector<int64_t>& shape) const;
    std::vector<float> values(const std::string& name, const std::vector<int64_t>& shape) const;
    void floats(const std::string& name, const std::vector<int64_t>& shape, const float*& target);
    void lay_out();
    void place_floats(Stream& stream);
    void read(Threads& threads,
              size_t first,
              size_t end,
              const std::vector<size_t>& at,
              std::byte* staging);
    void round(Threads& threads,
               size_t first,
               size_t end,
               const std::vector<size_t>& at,
               std::byte* staging);
    void pack(const Context& context,
              size_t first,
              size_t end,
              const std::vector<size_t>& at,
              const std::byte* staging,
              std::byte* packed);

    File file_;
    std::map<std::string, TensorInfo> tensors_;
    Compute compute_;
    Profile profile_;
    RoundingError rounding_;
    std::vector<Floats> float_jobs_;
    std::vector<Matrix> embedding_slabs_, head_slabs_;
    std::vector<Job> jobs_;
    int experts_;
    std::vector<Away> away_;  // [layers]
    size_t packed_bytes_ = 0, float_bytes_ = 0, streamed_bytes_ = 0, host_bytes_ = 0;
    size_t places_at_ = 0, place_bytes_ = 0;  // in the device's memory, where streamed experts come
    Buffer packed_, floats_, streamed_, host_;
};

}  // namespace sfumato
