#include "guard/command/output/table.hpp"

#include <algorithm>

namespace guard::command {
namespace {

constexpr std::size_t gap = 2;
constexpr std::size_t least = 8;  // the minimum width of a shortened column

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

void append_line(std::string& text, const std::vector<std::string>& cells,
                 const std::vector<std::size_t>& widths) {
  for (std::size_t i = 0; i < widths.size(); ++i) {
    if (cells[i].size() > widths[i]) {
      text.append(cells[i], 0, widths[i] - 1) += '~';
    } else {
      text += cells[i];
      if (i + 1 < widths.size()) text.append(widths[i] - cells[i].size(), ' ');
    }
    if (i + 1 < widths.size()) text.append(gap, ' ');
  }
}

/// Breaks the anomaly's text between words into indented lines that fit the terminal.
void append_broken(std::string& text, std::string_view anomaly, std::size_t terminal) {
  constexpr std::string_view indent = "  ";
  std::size_t room = terminal > 2 * indent.size() ? terminal - indent.size() : std::string::npos;
  while (anomaly.size() > room) {
    std::size_t space = anomaly.rfind(' ', room);
    if (space == std::string::npos || space == 0) break;
    text.append(indent).append(anomaly.substr(0, space)) += '\n';
    anomaly.remove_prefix(space + 1);
  }
  text.append(indent).append(anomaly);
}

}  // namespace

std::string table(const std::vector<std::string>& heading, const std::vector<Row>& rows,
                  const Terminal& terminal) {
  auto widths = widths_of(heading, rows);
  auto width = static_cast<std::size_t>(terminal.width);
  if (width > 0) narrow(widths, width);
  std::string text;
  // Appends what `append` appends, in the colour if that is wanted, and ends the line.
  auto in_colour = [&](bool wanted, std::string_view colour, const auto& append) {
    if (wanted && terminal.colour) text += colour;
    append();
    if (wanted && terminal.colour) text += colour::reset;
    text += '\n';
  };
  in_colour(true, colour::bold, [&] { append_line(text, heading, widths); });
  for (const Row& row : rows) {
    append_line(text, row.cells, widths);
    text += '\n';
    for (const std::string& anomaly : row.anomalies)
      in_colour(row.alarm, colour::red, [&] { append_broken(text, anomaly, width); });
  }
  return text;
}

}  // namespace guard::command
