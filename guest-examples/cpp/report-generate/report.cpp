#include "report.hpp"

#include <cmath>

namespace {

void add_to(Totals &totals, const std::string &name, double amount) {
    Total &total = totals[name];
    total.count++;
    total.sum += amount;
}

fm::Json totals_to_json(const Totals &totals) {
    fm::Json object = fm::Json::object();
    for (const auto &[name, total] : totals)
        object.set(name, fm::Json::object({{"count", total.count}, {"sum", total.sum}}));
    return object;
}

fm::Result<Totals> totals_from_json(const fm::Json &object) {
    Totals totals;
    for (const auto &[name, member] : object.members()) {
        FM_LET(count, member.read<std::int64_t>("count"));
        FM_LET(sum, member.read<double>("sum"));
        totals[name] = {count, sum};
    }
    return totals;
}

} // namespace

fm::Result<void> Report::add(std::string_view line) {
    const fm::Scope scope;
    FM_LET(record, fm::Json::parse(line));
    FM_LET(region, record.read<std::string>("region"));
    FM_LET(product, record.read<std::string>("product"));
    FM_LET(amount, record.read<double>("amount"));
    add_to(by_region, region, amount);
    add_to(by_product, product, amount);
    lines++;
    return {};
}

void Report::round() {
    for (Totals *totals : {&by_region, &by_product})
        for (auto &[name, total] : *totals)
            total.sum = std::round(total.sum * 100) / 100;
}

fm::Json Report::to_json() const {
    return fm::Json::object({
        {"lines", lines},
        {"byRegion", totals_to_json(by_region)},
        {"byProduct", totals_to_json(by_product)},
    });
}

fm::Result<Report> Report::from_json(const fm::Json &value) {
    FM_LET(lines, value.read<std::size_t>("lines"));
    FM_LET(by_region, totals_from_json(value["byRegion"]));
    FM_LET(by_product, totals_from_json(value["byProduct"]));
    return Report{lines, by_region, by_product};
}
