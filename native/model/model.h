// DiffusionGemma: prefill → begin_canvas → denoise* → commit → … (MODEL.md 2.6 to 3.3).
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "model/kv_cache.h"
#include "model/weights.h"
#include "ops/logits.h"

namespace sfumato {

struct ModelOptions {
    Device device = Device::cpu;
    int gpu = 0;  // its index, of Device::cuda
    int context = 8192;
    Compute compute = Compute::fast;
    Profile profile = Profile::exact;
    size_t memory = 0;  // bytes of the device, at most; 0: all that is free
    // Share of the experts beyond that which the host computes, the others are streamed; below 0:
    // so that both take as long.
    float host_share = -1.0f;
    int threads = 0;  // 0: physical cores
};

// What a model takes of its device's memory in all, known before anything is taken.
struct MemoryPlan {
    size_t weights = 0, kv_cache = 0;
    size_t scratch = 0;      // activations; grows with the first step on a CPU
    size_t recordings = 0;   // about: what the device keeps for repeating a step
    size_t context = 0;      // about: what its runtime keeps
    size_t main_memory = 0;  // of it: weights that the device lacks, which the total leaves out

    size_t total() const { return weights + kv_cache + scratch + recordings + context; }
};

// How a canvas is refined; the names are those of SamplerConfig.
struct CanvasOptions {
    std::span<const int32_t> start;   // [canvas], -1: random; empty: all random
    std::span<const int32_t> pinned;  // [canvas], -1: free; empty: all free
    uint64_t seed = 0;
    uint32_t block = 0;
    float entropy_bound = 0.1f;
    int stability_threshold = 1;
    float confidence_threshold = 0.005f;
};

// Outcome of a denoise step; arrays are [canvas].
struct Step {
    std::vector<int32_t> argmax, sampled, canvas;
    std::vector<float> entropy;
    std::vector<uint8_t> accepted;
    float mean_entropy = 0.0f;
    bool stable = false;
    bool settled = false;
};

// An array that the host reads and writes, and the device too.
template <class T>
class SharedArray {
  public:
    SharedArray(Stream& stream, size_t size)
        : memory_(stream.allocate_shared(size * sizeof(T), "the canvas")), size_(size) {}

    T* data() const { return reinterpret_cast<T*>(memory_.data()); }
    size_t size() const { return size_; }
    T& operator[](size_t i) const { return data()[i]; }
    T* begin() const { return data(); }
    T* end() const { return data() + size_; }
    std::vector<T> copy() const { return {begin(), end()}; }

  private:
    Buffer memory_;
    size_t size_;
};

// One conversation on one device. Not for two threads at once.
class Model {
  public:
    // Counts the memory that it will take; all but load() needs it filled. Throws Error, and
    // OutOfMemory where there is not enough.
    Model(const std::string& path,
          const std::vector<TensorInfo>& tensors,
          ModelConfig config,
          const ModelOptions& options);

    // `progress` is told the share that is done and returns false to cancel.
    void load(const std::function<bool(double)>& progress);

    const ModelConfig& config() const { return config_; }
    int position() const { return cache_.position(); }
    int context() const { return cache_.context(); }
    int oldest_rewind() const { return cache_.oldest_rewind(); }
    int threads() const { return threads_.count(); }
    MemoryPlan memory() const;
    double rounding_error() const { return weights_.rounding_error(); }

    // Appends tokens to the cache. `hidden` [ids, hidden], tests only: the encoder's output after
    // the final norm.
    void prefill(std::span<const int32_t> ids, float* hidden = nullptr);
    void truncate(int position);

    void begin_canvas(const CanvasOptions& options);
    std::vector<int32_t> canvas() const { return canvas_.copy(); }
    // Between two steps: other tokens, other pins. The beliefs of the last step stay.
    void set_canvas(std::span<const int32_t> ids);
    void set_pinned(std::span<const int32_t> pinned);
    // Draws that are given replace those of the seed; tests only.
    Step denoise(float temperature,
                 std::span<const float> uniform = {},
                 std::span<const int32_t> renoise = {});

    // Tests only: [canvas, vocab] of the last step, computed again.
    void last_logits(float* out);
    // Tests only: the next step is self-conditioned on softmax(logits / temperature), logits
    // [canvas, vocab].
    void set_beliefs(std::span<const float> logits, float temperature);
    int kept_positions(int layer) const { return cache_.kept_positions(layer); }
    void copy_cache(int layer, bool keys, float* out) { cache_.copy(*stream_, layer, keys, out); }

  private:
    // Angles of a kind of layer for the rows of the pass that ran last.
    struct Angles {
        std::vector<float> values;     // [head_dim / 2]
        float* frequencies = nullptr;  // likewise, on the device
        float* table = nullptr;        // [largest_pass, head_dim]
    };
    // What a step reads and writes beside arrays.
    struct StepState {
        float temperature, mean_entropy;
        int same_steps;
        bool stable, settled;
    };

    Context device();
    size_t measure_scratch();
    void plan_memory(const ModelOptions& options);
    float balanced_share();
    void check_host() const;
    void take_activations(std::byte* memory);
    void run_step();
    void prepare_angles(const Context& context, int first_position, int rows);
    View<const float> angles(int layer, int rows) const;
    void run_layers(const Context& context, View<float> x, bool encoder, bool all);
    void encode(std::span<const int32_t> ids, float* hidden);
    void draw_step(std::span<const float> uniform, std::span<const int32_t> renoise);
    void believe(const Context& context, Kept& kept);
    void check_tokens(std::span<const int32_t> ids, bool free_allowed) const;

    ModelConfig config_;
    Compute compute_;
    Device device_;
    int largest_pass_;
    Threads threads_;
    std::unique_ptr<Stream> stream_;
    Arena scratch_;
    Weights weights_;
    std::unique_ptr<HostShare> host_;
    KvCache cache_;

    // Activations that outlive an operation, on the device.
    Buffer activations_;
    size_t activation_bytes_ = 0;
    size_t scratch_bytes_ = 0;        // as planned
    float* embedding_sum_ = nullptr;  // [hidden]; fast mode
    View<float> hidden_;              // [canvas, hidden] of the last step, after the final norm
    View<float> soft_;                // [canvas, hidden] for the next step's self-conditioning
    Angles full_, sliding_;
    int angles_position_ = -1, angles_rows_ = 0;
    SharedArray<int32_t> ids_;  // [largest_pass] of the pass that fills the cache

    // The canvas that is being refined.
    bool refining_ = false;
    CanvasOptions options_;
    int step_ = 0;  // steps done
    SharedArray<int32_t> canvas_, pinned_, previous_argmax_, argmax_, sampled_, renoise_;
    SharedArray<float> uniform_, entropy_, log_total_;
    SharedArray<uint8_t> accepted_;
    SharedArray<StepState> state_;          // one
    std::unique_ptr<Recording> recording_;  // of a step but the first
    bool ran_all_operations_ = false;       // of such a step
};

}  // namespace sfumato
