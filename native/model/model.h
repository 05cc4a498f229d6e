// DiffusionGemma: prefill → begin_canvas → denoise* → commit → … (MODEL.md 2.6 to 3.3).
#pragma once

#include <array>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "model/kv_cache.h"
#include "model/step_memory.h"
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
    std::span<const int32_t> commit;  // the block before, not yet in the cache; or empty
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

// One conversation on one device. Not for two threads at once.
class Model {
  public:
    // Counts the memory that it will take; all but load() needs it filled. Throws Error, and
    // OutOfMemory where there is not enough.
    Model(const std::string& path,
          const std::vector<TensorInfo>& tensors,
          ModelConfig config,
          const ModelOptions& options);
    ~Model();
    Model(const Model&) = delete;
    Model& operator=(const Model&) = delete;

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

    // The canvas as it starts. Where there is memory for both at once, `commit` comes into the
    // cache in the same pass over the weights as the first step, to the same effect as
    // prefill(commit).
    std::vector<int32_t> begin_canvas(const CanvasOptions& options);
    // Between two steps, none of which has begun: other tokens, other pins. The beliefs of the last
    // step stay.
    void set_canvas(std::span<const int32_t> ids);
    void set_pinned(std::span<const int32_t> pinned);
    // `then`: the temperature of the step after this one. A device that works beside the host
    // begins that step before this one's outcome is known; it does nothing if this one settles.
    // Draws that are given replace those of the seed; tests only.
    Step denoise(float temperature,
                 std::optional<float> then = {},
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
    // Angles of a kind of layer for the rows of the pass that made them last.
    struct Angles {
        std::vector<float> values;     // [head_dim / 2]
        float* frequencies = nullptr;  // likewise, on the device
        float* table = nullptr;        // [largest_pass, head_dim]
    };
    Context device();
    size_t measure_scratch();
    void plan_memory(const ModelOptions& options);
    float balanced_share();
    void check_host() const;
    void take_activations(std::byte* memory);
    void set_pins(std::span<const int32_t> pinned);
    void put_canvas(std::span<const int32_t> ids);
    bool steps_ahead() const;
    void catch_up();
    void check_still() const;
    const StepMemory& latest() const { return host_steps_[static_cast<size_t>(step_ + 1) % 2]; }
    void launch_step(int step,
                     float temperature,
                     std::span<const float> uniform,
                     std::span<const int32_t> renoise);
    bool fits_one_pass(size_t commit) const;
    void run_step(bool first, int encoder_rows);
    void prepare_angles(const Context& context, int first_position, int rows);
    View<const float> angles(int layer, int first_position, int rows) const;
    void run_layers(const Context& context, View<float> x, int encoder_rows, bool all);
    void embed(const Context& context, std::span<const int32_t> ids, View<float> out);
    void encode(std::span<const int32_t> ids, float* hidden);
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
    Buffer ids_memory_;
    std::span<int32_t> ids_;  // [largest_pass] of the pass that fills the cache

    // The canvas that is being refined.
    bool refining_ = false;
    CanvasOptions options_;
    std::vector<int32_t> pinned_;  // [canvas], -1: free
    std::vector<int32_t> commit_;  // what the first step brings into the cache
    int step_ = 0;                 // steps whose outcome is known
    bool ahead_ = false;           // the next one was launched
    StepMemory device_step_;
    Buffer host_steps_memory_;
    std::array<StepMemory, 2> host_steps_;  // of steps in turn; latest() at first the canvas' start
    std::unique_ptr<Recording> recording_;  // of a step but the first
    bool ran_all_operations_ = false;       // of such a step
};

}  // namespace sfumato
