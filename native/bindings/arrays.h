// NumPy arrays in and out.
#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/vector.h>

#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "ops/dispatch.h"

namespace sfumato::bindings {

namespace nb = nanobind;

template <class T>
using Array = nb::ndarray<const T, nb::c_contig, nb::device::cpu>;

template <class T>
std::span<const T> span_of(const Array<T>& a) {
    return {a.data(), a.size()};
}

template <class T, class... Extent>
auto array(std::vector<T> values, Extent... extent) {
    auto* kept = new std::vector<T>(std::move(values));
    nb::capsule owner(kept, [](void* p) noexcept { delete static_cast<std::vector<T>*>(p); });
    return nb::ndarray<nb::numpy, T>(kept->data(), {static_cast<size_t>(extent)...}, owner);
}

// "cpu", or "cuda:N" with the GPU's index.
inline std::pair<Device, int> device_of(const std::string& name) {
    if (name == "cpu") return {Device::cpu, 0};
    const std::string prefix = "cuda:";
    const bool digits = name.size() > prefix.size() && name.size() < prefix.size() + 4 &&
                        name.find_first_not_of("0123456789", prefix.size()) == std::string::npos;
    check(name.starts_with(prefix) && digits, "device ", name, " is not cpu or cuda:N");
    return {Device::cuda, std::stoi(name.substr(prefix.size()))};
}

// Token ids from a sequence of numbers or an array; None is empty.
inline std::vector<int32_t> ids_of(nb::handle object) {
    if (object.is_none()) return {};
    Array<int32_t> a;
    if (nb::try_cast(object, a)) {
        if (a.ndim() != 1) throw nb::value_error("token ids come in one dimension");
        return {a.data(), a.data() + a.size()};
    }
    return nb::cast<std::vector<int32_t>>(object);
}

}  // namespace sfumato::bindings
