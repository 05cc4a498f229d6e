// Large memory straight from the operating system: zero at first, given pages when touched.
#pragma once

#include <cstddef>
#include <utility>

namespace sfumato {

// Aligned to a page. Throws OutOfMemory, naming `purpose` and the numbers.
class Buffer {
  public:
    Buffer() = default;
    Buffer(size_t bytes, const char* purpose);
    // Memory that came from elsewhere, and who takes it back.
    using Release = void (*)(std::byte*, size_t);
    Buffer(std::byte* data, size_t bytes, Release release)
        : data_(data), bytes_(bytes), release_(release) {}
    Buffer(Buffer&& other) noexcept { swap(other); }
    Buffer& operator=(Buffer&& other) noexcept {
        swap(other);
        return *this;
    }
    ~Buffer();

    std::byte* data() const { return data_; }
    size_t bytes() const { return bytes_; }

  private:
    void swap(Buffer& other) noexcept {
        std::swap(data_, other.data_);
        std::swap(bytes_, other.bytes_);
        std::swap(release_, other.release_);
    }

    std::byte* data_ = nullptr;
    size_t bytes_ = 0;
    Release release_ = nullptr;
};

// Bytes that can be allocated without swapping; 0 when the system does not say.
size_t available_memory();

}  // namespace sfumato
