// Prints the first learning rates of a compiled schedule, without Python: ./main lr.pt2 10
#include <cinttypes>
#include <cstdio>
#include <cstdlib>

#include <ATen/ops/scalar_tensor.h>
#include <torch/csrc/inductor/aoti_package/model_package_loader.h>

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: %s PACKAGE STEPS\n", argv[0]);
    return 2;
  }
  torch::inductor::AOTIModelPackageLoader lr(argv[1]);
  const int64_t steps = std::atoll(argv[2]);
  for (int64_t step = 0; step < steps; ++step) {
    const at::Tensor rate = lr.run({at::scalar_tensor(step, at::kLong)})[0];
    std::printf("%" PRId64 " %a\n", step, rate.item<float>());
  }
}
