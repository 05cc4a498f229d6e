// The extension sfumato.engine._native.
#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>

#include <new>

#include "core/cpu_features.h"
#include "core/error.h"
#include "ops/devices.h"

namespace nb = nanobind;

namespace sfumato::bindings {
void bind_model(nb::module_& m);
void bind_ops(nb::module_& m);
}  // namespace sfumato::bindings

namespace {

PyObject* out_of_memory = nullptr;

void bind_errors(nb::module_& m) {
    // A translator that was registered later is asked first.
    const auto error = nb::exception<sfumato::Error>(m, "NativeError", PyExc_RuntimeError);
    const auto memory = nb::exception<sfumato::OutOfMemory>(m, "OutOfMemoryError", error.ptr());
    nb::exception<sfumato::Cancelled>(m, "CancelledError", error.ptr());
    out_of_memory = memory.ptr();
    nb::register_exception_translator([](const std::exception_ptr& p, void*) {
        try {
            std::rethrow_exception(p);
        } catch (const std::bad_alloc&) {
            PyErr_SetString(out_of_memory, "the system has no memory left");
        }
    });
}

nb::dict features() {
    const sfumato::CpuFeatures& f = sfumato::cpu_features();
    nb::dict out;
    out["avx2"] = f.avx2;
    out["avxvnni"] = f.avxvnni;
    out["avx512"] = f.avx512;
    out["avx512vnni"] = f.avx512vnni;
    out["amx_int8"] = f.amx_int8;
    return out;
}

nb::list cuda_devices() {
    nb::list out;
    for (const sfumato::Gpu& gpu : sfumato::ops::gpus()) {
        nb::dict d;
        d["id"] = "cuda:" + std::to_string(nb::len(out));
        d["name"] = gpu.name;
        d["memory_bytes"] = gpu.memory_bytes;
        d["free_bytes"] = gpu.free_bytes;
        d["compute_capability"] = gpu.compute_capability;
        d["driver"] = gpu.driver;
        d["usable"] = gpu.usable;
        d["reason"] = gpu.reason;
        out.append(d);
    }
    return out;
}

}  // namespace

NB_MODULE(_native, m) {
    bind_errors(m);
    m.def("cpu_features", &features);
    m.def("instruction_set", [] { return std::string(sfumato::isa_name(sfumato::isa())); });
    m.def("cuda_devices", &cuda_devices);
    m.def("_gpu_read_speed", &sfumato::ops::gpu_read_speed, nb::arg("index"), nb::arg("bytes"));
    sfumato::bindings::bind_model(m);
    sfumato::bindings::bind_ops(m);
}
