#pragma once

#include <algorithm>
#include <fstream>
#include <iterator>
#include <set>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

/// The parts of start-guard(8) that tests compare with the program.
class ManPage {
 public:
  ManPage() {
    std::ifstream page(MAN_PAGE);
    text_.assign(std::istreambuf_iterator<char>(page), {});
  }

  /// Returns the text between a heading, as in ".Ss list --json", and the next one.
  [[nodiscard]] std::string section(std::string_view heading) const {
    std::size_t begin = text_.find("\n" + std::string(heading) + "\n");
    if (begin == std::string::npos) return "";
    std::size_t from = begin + heading.size();
    std::size_t end = std::min(text_.find("\n.Ss ", from), text_.find("\n.Sh ", from));
    return text_.substr(begin + heading.size() + 2, end - begin - heading.size() - 1);
  }

  /// Returns the names at the start of list items: ".It Va one , two" gives "one" and "two". With
  /// an empty macro: the items that begin with a word, not with a macro.
  [[nodiscard]] static std::vector<std::string> items(const std::string& text,
                                                      const std::string& macro) {
    std::vector<std::string> items;
    std::istringstream lines(text);
    std::string start = macro.empty() ? ".It " : ".It " + macro + " ";
    for (std::string line; std::getline(lines, line);) {
      if (!line.starts_with(start)) continue;
      bool other_macro =
          macro.empty() && (line.starts_with(".It Fl ") || line.starts_with(".It Va "));
      if (other_macro) continue;
      std::istringstream words(line.substr(start.size()));
      for (std::string word; words >> word;) {
        if (word != "," && word != macro) items.push_back(word);
      }
    }
    return items;
  }

 private:
  std::string text_;
};

/// Returns the parts of a text between the lines "Each of".
[[nodiscard]] inline std::vector<std::string> parts(const std::string& text) {
  constexpr std::string_view between = "\nEach of\n";
  std::vector<std::string> parts;
  std::size_t begin = 0;
  for (std::size_t end = 0; end != std::string::npos; begin = end + between.size()) {
    end = text.find(between, begin);
    parts.push_back(text.substr(begin, end == std::string::npos ? end : end - begin));
  }
  return parts;
}
