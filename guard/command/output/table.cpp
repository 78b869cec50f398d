#include "guard/command/output/table.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace guard::command {
namespace {

constexpr std::size_t gap = 2;
constexpr std::size_t least = 8;  // the minimum width of a shortened column

std::string in_colour(std::string_view colour, const std::string& text, const Terminal& terminal) {
  return terminal.colour ? fmt::format("{}{}{}", colour, text, colour::reset) : text;
}

std::vector<std::size_t> widths_of(const std::vector<std::string>& heading,
                                   const std::vector<Row>& rows) {
  std::vector<std::size_t> widths;
  widths.reserve(heading.size());
  for (const std::string& title : heading)
    widths.push_back(title.size());
  for (const Row& row : rows) {
    for (std::size_t i = 0; i < widths.size(); ++i)
      widths[i] = std::max(widths[i], row.cells[i].size());
  }
  return widths;
}

void narrow(std::vector<std::size_t>& widths, std::size_t terminal) {
  std::size_t total = gap * (widths.size() - 1);
  for (std::size_t width : widths)
    total += width;
  for (std::size_t column = 0; column < 2 && column < widths.size(); ++column) {
    if (total <= terminal) return;
    std::size_t less = std::min(total - terminal, widths[column] - std::min(widths[column], least));
    widths[column] -= less;
    total -= less;
  }
}

std::string line(const std::vector<std::string>& cells, const std::vector<std::size_t>& widths) {
  std::string text;
  for (std::size_t i = 0; i < widths.size(); ++i) {
    bool cut = cells[i].size() > widths[i];
    std::string cell = cut ? cells[i].substr(0, widths[i] - 1) + "~" : cells[i];
    text += cell;
    if (i + 1 < widths.size()) text.append(widths[i] + gap - cell.size(), ' ');
  }
  return text;
}

/// Breaks the text between words into indented lines that fit the terminal.
std::string broken(std::string text, std::size_t terminal) {
  constexpr std::string_view indent = "  ";
  std::string lines;
  std::size_t room = terminal > 2 * indent.size() ? terminal - indent.size() : std::string::npos;
  while (text.size() > room) {
    std::size_t space = text.rfind(' ', room);
    if (space == std::string::npos || space == 0) break;
    lines += fmt::format("{}{}\n", indent, text.substr(0, space));
    text.erase(0, space + 1);
  }
  return lines + fmt::format("{}{}", indent, text);
}

}  // namespace

std::string table(const std::vector<std::string>& heading, const std::vector<Row>& rows,
                  const Terminal& terminal) {
  auto widths = widths_of(heading, rows);
  auto width = static_cast<std::size_t>(terminal.width);
  if (width > 0) narrow(widths, width);
  std::string text = in_colour(colour::bold, line(heading, widths), terminal) + "\n";
  for (const Row& row : rows) {
    text += line(row.cells, widths) + "\n";
    for (const std::string& anomaly : row.anomalies) {
      std::string lines = broken(anomaly, width);
      text += (row.alarm ? in_colour(colour::red, lines, terminal) : lines) + "\n";
    }
  }
  return text;
}

}  // namespace guard::command
