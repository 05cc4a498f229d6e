# Included by llama.cpp's build right after project(): only its library is used, for the vocabulary and
# for benchmarks, so the 51 files of its command-line tools are left out.
set(LLAMA_BUILD_COMMON OFF)
