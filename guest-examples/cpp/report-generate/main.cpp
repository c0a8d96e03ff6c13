// Sums sales by region and product. Shows a long handler: it works in batches, saves a checkpoint
// after each, reports progress, stops when told to, and goes on from the checkpoint in the next
// attempt.
//
// `records` is JSON lines. The rest may be missing: `failAtLine` makes attempt 1 fail there, to
// show attempt 2 go on after the last whole batch; `pauseMsPerBatch` leaves time to watch.
//
//     {
//         "records": "{\"region\":\"north\",\"product\":\"tea\",\"amount\":12.5}\n…",
//         "failAtLine": 1200,
//         "pauseMsPerBatch": 500
//     }
#include "report.hpp"

#include <algorithm>

namespace {

constexpr std::size_t batch_lines = 500;

// JSON does not mind the \r that some lines end in.
std::vector<std::string_view> split_lines(std::string_view text) {
    std::vector<std::string_view> lines;
    while (!text.empty()) {
        const auto end = std::min(text.find('\n'), text.size());
        lines.push_back(text.substr(0, end));
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return lines;
}

fm::Result<void> add_line(Report &report, std::string_view line,
                          std::optional<std::size_t> fail_at_line) {
    const std::string number = std::to_string(report.lines + 1);
    if (fail_at_line == report.lines + 1 && fm::job::attempt() == 1)
        return fm::retryable("INTERRUPTED", "stopped at line " + number);
    if (const auto added = report.add(line); !added)
        return fm::fatal("BAD_RECORD", "the record in line " + number +
                                           " does not parse: " + added.error().message());
    return {};
}

} // namespace

fm::Result<fm::Outcome> fm::run(fm::Json input) {
    FM_LET(records, input.read<std::string>("records"));
    FM_LET(fail_at_line, input.read<std::optional<std::size_t>>("failAtLine"));
    FM_LET(pause_ms, input.read_or<std::uint32_t>("pauseMsPerBatch", 0));
    const auto lines = split_lines(records);

    FM_LET(saved, fm::checkpoint::restore("report"));
    Report report = Report::from_json(saved).value_or(Report());
    const auto resumed_from_line =
        report.lines > 0 ? std::optional(report.lines + 1) : std::nullopt;

    while (report.lines < lines.size()) {
        const auto end = std::min(report.lines + batch_lines, lines.size());
        while (report.lines < end)
            FM_TRY(add_line(report, lines[report.lines], fail_at_line));
        fm::sleep(fm::milliseconds(pause_ms));

        // First make the batch durable, then say so, and hear whether to go on.
        FM_TRY(fm::checkpoint::save("report", report.to_json()));
        const float percent = 100.0F * static_cast<float>(report.lines) / lines.size();
        FM_TRY(fm::progress(percent, std::to_string(report.lines) + " of " +
                                         std::to_string(lines.size()) + " lines"));
    }

    report.round();
    fm::Json result = report.to_json();
    result.set("attempt", fm::job::attempt());
    result.set("resumedFromLine", resumed_from_line);
    return fm::success(result);
}
