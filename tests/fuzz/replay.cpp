// Runs a fuzz target on files without a fuzzer: replay FILE|DIRECTORY…

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

void replay_file(const std::filesystem::path& file) {
  std::ifstream stream(file, std::ios::binary);
  std::string input{std::istreambuf_iterator<char>(stream), {}};
  // Printed before the call, so the last name is the input that failed.
  std::fprintf(stderr, "%s\n", file.c_str());
  LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(input.data()), input.size());
}

std::size_t replay(const std::filesystem::path& path) {
  if (!std::filesystem::is_directory(path)) {
    replay_file(path);
    return 1;
  }
  std::size_t count = 0;
  for (const auto& entry : std::filesystem::directory_iterator(path)) {
    replay_file(entry.path());
    ++count;
  }
  return count;
}

}  // namespace

int main(int argc, char* argv[]) {
  std::size_t count = 0;
  for (int i = 1; i < argc; ++i)
    count += replay(argv[i]);
  if (count > 0) return 0;
  std::fprintf(stderr, "nothing to replay\n");
  return 1;
}
