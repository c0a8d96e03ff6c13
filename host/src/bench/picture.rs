//! Where the time of one job goes, as a picture: a bar a way of keeping jobs, a colour a part.

use super::account;
use super::figure::{Figure, shown};
use std::fmt::Write;

const COLOURS: [(&str, &str); 5] = [
    ("database: statements", "#4e79a7"),
    ("database: log and upkeep", "#a0cbe8"),
    ("sandbox", "#f28e2b"),
    ("runner: claims and records", "#59a14f"),
    ("runner: other threads", "#bab0ac"),
];
const LEFT: f64 = 130.0;
const WIDTH: f64 = 640.0;
const BAR: f64 = 44.0;

/// The picture as SVG, or nothing where the account was not measured.
pub(crate) fn svg(figures: &[Figure]) -> Option<String> {
    let parts: Vec<(&str, &str, f64)> = figures
        .iter()
        .filter(|figure| figure.measure == account::MEASURE)
        .filter_map(|figure| figure.name.split_once(": ").map(|(bar, part)| (bar, part, figure.value)))
        .collect();
    let mut bars: Vec<&str> = parts.iter().map(|(bar, ..)| *bar).collect();
    bars.dedup();
    let total = |bar: &str| parts.iter().filter(|part| part.0 == bar).map(|part| part.2).sum::<f64>();
    let longest = bars.iter().map(|bar| total(bar)).fold(0.0, f64::max);
    if longest <= 0.0 {
        return None;
    }
    let height = 60.0 + bars.len() as f64 * (BAR + 24.0) + 24.0 * COLOURS.len() as f64;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {:.0} {height:.0}\" font-family=\"sans-serif\" \
         font-size=\"13\">\n<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n\
         <text x=\"12\" y=\"26\" font-size=\"15\">Processor time of one job in µs, empty handler, Postgres</text>\n",
        LEFT + WIDTH + 80.0
    );
    for (row, bar) in bars.iter().enumerate() {
        let y = 46.0 + row as f64 * (BAR + 24.0);
        let mut x = LEFT;
        let _ = writeln!(svg, "<text x=\"12\" y=\"{:.1}\">{bar}</text>", y + BAR / 2.0 + 5.0);
        for (part, colour) in COLOURS {
            let value = parts.iter().find(|one| one.0 == *bar && one.1 == part).map_or(0.0, |one| one.2);
            let width = value / longest * WIDTH;
            let _ = writeln!(
                svg,
                "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{BAR}\" fill=\"{colour}\"/>"
            );
            if width > 36.0 {
                let (middle, line) = (x + width / 2.0, y + BAR / 2.0 + 5.0);
                let text = shown(value);
                let _ = writeln!(
                    svg,
                    "<text x=\"{middle:.1}\" y=\"{line:.1}\" text-anchor=\"middle\" fill=\"#ffffff\">{text}</text>"
                );
            }
            x += width;
        }
        let _ = writeln!(
            svg,
            "<text x=\"{:.1}\" y=\"{:.1}\">{}</text>",
            x + 8.0,
            y + BAR / 2.0 + 5.0,
            shown(total(bar))
        );
    }
    for (row, (part, colour)) in COLOURS.iter().enumerate() {
        let y = 56.0 + bars.len() as f64 * (BAR + 24.0) + row as f64 * 24.0;
        let _ = writeln!(
            svg,
            "<rect x=\"{LEFT}\" y=\"{y:.1}\" width=\"14\" height=\"14\" fill=\"{colour}\"/>\
             <text x=\"{:.1}\" y=\"{:.1}\">{part}</text>",
            LEFT + 22.0,
            y + 12.0
        );
    }
    svg.push_str("</svg>\n");
    Some(svg)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_part_has_its_share_of_a_bar() {
        let figure = |name: &str, value| Figure::new(account::MEASURE, name, value, "µs");
        let figures = [
            figure("history kept: database: statements", 60.0),
            figure("history kept: sandbox", 20.0),
            figure("retention zero: sandbox", 20.0),
        ];
        let svg = svg(&figures).unwrap();
        assert!(svg.contains("width=\"480.0\" height=\"44\" fill=\"#4e79a7\""), "{svg}");
        assert_eq!(svg.matches("width=\"160.0\" height=\"44\" fill=\"#f28e2b\"").count(), 2, "{svg}");
        assert!(svg.contains(">80.0</text>"), "{svg}");
    }

    #[test]
    fn without_an_account_there_is_no_picture() {
        assert_eq!(svg(&[Figure::new("drain", "postgres, history kept", 1.0, "jobs/s")]), None);
    }
}
