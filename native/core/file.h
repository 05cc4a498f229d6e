// A file read at given offsets, from any number of threads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace sfumato {

// Not mapped: a file that is cut short while it is read gives an Error, not a fault.
class File {
  public:
    explicit File(const std::string& path);  // UTF-8; throws Error
    ~File();
    File(const File&) = delete;
    File& operator=(const File&) = delete;

    uint64_t size() const { return size_; }

    // False where the file ends too early or the device fails.
    bool read(uint64_t offset, std::byte* into, size_t bytes) const noexcept;

  private:
#ifdef _WIN32
    void* handle_ = nullptr;
#else
    int handle_ = -1;
#endif
    uint64_t size_ = 0;
};

}  // namespace sfumato
