// The report itself. Nothing here knows that it is part of a job.
#ifndef REPORT_HPP
#define REPORT_HPP

#include "../flowmonkey/flowmonkey.hpp"

struct Total {
    std::int64_t count = 0;
    double sum = 0;
};

using Totals = std::map<std::string, Total>;

// The totals so far: what a checkpoint holds, and at the end the result.
struct Report {
    std::size_t lines = 0; // how many are in the totals
    Totals by_region, by_product;

    // Adds the next line, one record in JSON.
    fm::Result<void> add(std::string_view line);
    // Rounds the sums to cents. Once, at the end: rounded sums that are added to drift.
    void round();

    fm::Json to_json() const;
    // An error where the value is no report, such as one left by another version of this handler.
    static fm::Result<Report> from_json(const fm::Json &value);
};

#endif
