//! The report: one page of HTML with its style and plots in it.

use std::fmt::Write as _;

use wgnorm::{Context, Variant};

use super::measure::Row;
use super::plots::{self, Axes, BEST, COPY, CPU, GPU, Line, Mark, PAINTS, Paint};
use super::table::{TABLE_CAPTION, cells, header};
use super::variants::{Cell, Map};
use super::workload::List;
use super::{Bench, Direction, costs};
use crate::failure::Result;

/// A line of the plots over sizes and widths.
struct Series {
    name: &'static str,
    paint: Paint,
    mark: Mark,
    /// What it shows of a row.
    gbps: fn(&Row) -> f64,
}

const SERIES: [Series; 4] = [
    Series {
        name: "reference copy (plain line)",
        paint: COPY,
        mark: Mark::Plain,
        gbps: |row| row.copy_gbps,
    },
    Series {
        name: "best copy (dashes)",
        paint: BEST,
        mark: Mark::Dashes,
        gbps: |row| row.best_gbps,
    },
    Series {
        name: "CPU (triangles)",
        paint: CPU,
        mark: Mark::Triangles,
        gbps: |row| row.bytes as f64 / row.cpu_ms * 1e-6,
    },
    Series {
        name: "GPU (dots)",
        paint: GPU,
        mark: Mark::Dots,
        gbps: |row| row.gbps,
    },
];

pub fn page(bench: &Bench, context: &Context) -> Result<String> {
    let mut body = String::new();
    body += &format!("<h1>wgnorm bench, {}</h1>\n", bench.direction);
    body += &facts(bench);
    body += &sizes(bench)?;
    body += &widths(bench)?;
    body += &gpu_against_cpu(bench)?;
    // The planner's map is that of the forward pass.
    if bench.direction == Direction::Forward {
        body += &variants(context)?;
    }
    body += "<h2>All rows</h2>\n";
    body += &paragraph(TABLE_CAPTION);
    body += &table(&header(&bench.rows), 4, bench.rows.iter().map(cells));
    body += &cost_tables(bench);
    Ok(format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" \
         content=\"width=device-width, initial-scale=1\">\n<title>wgnorm bench, {}: {}</title>\n<style>\n{}{}</style>\n</head>\n\
         <body>\n{body}</body>\n</html>\n",
        bench.direction,
        escape(&bench.adapter),
        include_str!("report.css"),
        colours()
    ))
}

/// The roles' colours: those of the plots, by name, replaced where the ground is dark.
fn colours() -> String {
    let mut light = String::from(":root {");
    let mut dark = String::from("@media screen and (prefers-color-scheme: dark) { :root {");
    let mut rules = String::new();
    for (i, paint) in PAINTS.iter().enumerate() {
        let _ = write!(light, " --c{i}: {};", hex(paint.light));
        let _ = write!(dark, " --c{i}: {};", hex(paint.dark));
        let colour = hex(paint.light);
        let _ = writeln!(
            rules,
            "svg [fill=\"{colour}\"] {{ fill: var(--c{i}); }}\nsvg [stroke=\"{colour}\"] {{ stroke: var(--c{i}); }}"
        );
    }
    format!("{light} }}\n{dark} }} }}\n{rules}")
}

/// As the SVG writer spells colours.
fn hex(colour: plotters::style::RGBColor) -> String {
    format!("#{:02X}{:02X}{:02X}", colour.0, colour.1, colour.2)
}

fn facts(bench: &Bench) -> String {
    let mut facts = vec![
        ("adapter", bench.adapter.clone()),
        ("driver", bench.driver.clone()),
        ("machine", bench.machine.to_string()),
        ("command", bench.command.clone()),
        ("date", bench.date.clone()),
        ("copy", bench.copy.to_string()),
    ];
    if let Some(widths) = &bench.widths {
        facts.push(("widths", widths.to_string()));
    }
    let mut text = String::from("<dl>\n");
    for (name, value) in facts {
        let _ = writeln!(text, "<dt>{name}</dt><dd>{}</dd>", escape(&value));
    }
    text + "</dl>\n" + &paragraph("Every row was compared with a float64 reference before it was timed.")
}

/// Bandwidth against size, a plot per operation and layout.
fn sizes(bench: &Bench) -> Result<String> {
    let rows = bench.list(List::Sizes);
    if rows.is_empty() {
        return Ok(String::new());
    }
    let mut kinds: Vec<(&str, &str)> = Vec::new();
    for row in &rows {
        if !kinds.contains(&(row.op, row.layout)) {
            kinds.push((row.op, row.layout));
        }
    }
    let mut text = String::from("<h2>Bandwidth against size</h2>\n");
    text += &legend(&SERIES.map(|series| (series.name, series.paint)));
    text += "<div class=\"plots\">\n";
    for (op, layout) in kinds {
        let rows: Vec<_> = (rows.iter().filter(|row| (row.op, row.layout) == (op, layout)))
            .copied()
            .collect();
        let axes = Axes {
            x: "bytes read and written",
            y: "GB/s",
        };
        let plot = plots::over_bytes(&axes, &lines(&rows, |row| row.bytes as f64))?;
        let ends = rows.first().zip(rows.last()).map_or_else(String::new, |(first, last)| {
            format!(
                "Bandwidth of {op} ({layout}) from {} to {} bytes: GPU {:.2} to {:.2} GB/s, reference copy {:.2} to {:.2}.",
                first.bytes, last.bytes, first.gbps, last.gbps, first.copy_gbps, last.copy_gbps
            )
        });
        text += &figure(&format!("{op}, {layout}"), &ends, &plot);
    }
    Ok(text + "</div>\n")
}

fn widths(bench: &Bench) -> Result<String> {
    let rows = bench.list(List::Widths);
    let Some(widths) = bench.widths.as_ref().filter(|_| !rows.is_empty()) else {
        return Ok(String::new());
    };
    let axes = Axes {
        x: "columns",
        y: "GB/s",
    };
    let plot = plots::over_numbers(&axes, &lines(&rows, |row| row.shape[1] as f64))?;
    let mut text = String::from("<h2>Widths at equal size</h2>\n");
    text += &legend(&SERIES.map(|series| (series.name, series.paint)));
    text += "<div class=\"plots\">\n";
    text += &figure("layer_norm, rows", &widths.to_string(), &plot);
    Ok(text + "</div>\n")
}

fn lines(rows: &[&Row], x: impl Fn(&Row) -> f64) -> Vec<Line> {
    let line = |series: Series| Line {
        paint: series.paint,
        mark: series.mark,
        points: rows.iter().map(|row| (x(row), (series.gbps)(row))).collect(),
    };
    SERIES.map(line).into()
}

fn gpu_against_cpu(bench: &Bench) -> Result<String> {
    let points: Vec<_> = bench.rows.iter().map(|row| (row.cpu_ms, row.gpu_ms)).collect();
    let faster = bench.rows.iter().filter(|row| row.gpu_ms < row.cpu_ms).count();
    let axes = Axes {
        x: "CPU, ms",
        y: "GPU, ms",
    };
    let plot = plots::against(&axes, &points)?;
    let said = format!(
        "A dot a row, on logarithmic axes; below the line the GPU is faster: {faster} of {} rows.",
        points.len()
    );
    let figure = figure("GPU against CPU", &said, &plot);
    Ok(format!(
        "<h2>GPU against CPU</h2>\n{}<div class=\"plots\">\n{figure}</div>\n",
        paragraph(&said)
    ))
}

fn variants(context: &Context) -> Result<String> {
    let name = |variant: Variant| {
        let index = Variant::ALL.iter().position(|other| *other == variant).unwrap_or(0);
        PAINTS[index % PAINTS.len()]
    };
    let mut text = String::from("<h2>Which variant where</h2>\n");
    text += &paragraph(
        "The planner's choice on this adapter, by the number and the length of segments; blank where the tensor is larger \
         than 2^26 elements or than the device takes. The initials: ",
    );
    let named: Vec<_> = (Variant::ALL.iter())
        .map(|&variant| (format!("{} {}", initials(variant), variant.name()), name(variant)))
        .collect();
    text += &legend(&named);
    text += "<div class=\"plots\">\n";
    for map in Map::both(context) {
        let plot = plots::map(&map, |cell: &Cell| (name(cell.variant), initials(cell.variant)))?;
        let mut counts = Vec::new();
        for variant in Variant::ALL {
            let count = map.cells.iter().filter(|cell| cell.variant == variant).count();
            if count > 0 {
                counts.push(format!("{} in {count} cells", variant.name()));
            }
        }
        text += &figure(map.title, &format!("{}: {}.", map.title, counts.join(", ")), &plot);
    }
    Ok(text + "</div>\n")
}

fn initials(variant: Variant) -> &'static str {
    match variant {
        Variant::Lane => "L",
        Variant::Subgroup => "SG",
        Variant::Workgroup => "W",
        Variant::Split => "S",
        Variant::Column => "C",
        Variant::ColumnSplit => "CS",
        // Variants may be added to the library.
        _ => "?",
    }
}

fn cost_tables(bench: &Bench) -> String {
    let Some(costs) = &bench.costs else {
        return String::new();
    };
    let mut text = String::from("<h2>Costs of a call</h2>\n");
    text += &paragraph(costs::CAPTION);
    text += &table(&costs::CALL_HEADER, 2, costs.calls.iter().map(costs::Call::cells));
    text += "<h2>Latency of small tensors</h2>\n";
    text += &paragraph(&format!(
        "Submitting nothing and waiting for it takes {:.0} us.",
        costs.empty_submit_us
    ));
    text + &table(
        &costs::LATENCY_HEADER,
        2,
        costs.latencies.iter().map(costs::Latency::cells),
    )
}

fn paragraph(text: &str) -> String {
    format!("<p>{}</p>\n", escape(text))
}

fn legend<S: AsRef<str>>(entries: &[(S, Paint)]) -> String {
    let mut text = String::from("<ul class=\"legend\">\n");
    for (name, paint) in entries {
        let index = PAINTS.iter().position(|other| other == paint).unwrap_or(0);
        let _ = writeln!(
            text,
            "<li><span class=\"swatch\" style=\"background: var(--c{index})\"></span>{}</li>",
            escape(name.as_ref())
        );
    }
    text + "</ul>\n"
}

/// A plot with a text for those who cannot see it.
fn figure(caption: &str, said: &str, svg: &str) -> String {
    let labelled = svg.replacen(
        "<svg ",
        &format!("<svg role=\"img\" aria-label=\"{}\" ", escape(said)),
        1,
    );
    format!(
        "<figure>\n<figcaption>{}</figcaption>\n{labelled}</figure>\n",
        escape(caption)
    )
}

/// A table whose first `text` columns are words.
fn table<C: AsRef<[String]>>(header: &[&str], text: usize, rows: impl Iterator<Item = C>) -> String {
    let class = |column: usize| if column < text { " class=\"text\"" } else { "" };
    let mut html = String::from("<div class=\"wide\" tabindex=\"0\"><table>\n<thead><tr>");
    for (i, name) in header.iter().enumerate() {
        let _ = write!(html, "<th scope=\"col\"{}>{}</th>", class(i), escape(name));
    }
    html += "</tr></thead>\n<tbody>\n";
    for row in rows {
        html += "<tr>";
        for (i, cell) in row.as_ref().iter().enumerate() {
            let _ = write!(html, "<td{}>{}</td>", class(i), escape(cell));
        }
        html += "</tr>\n";
    }
    html + "</tbody>\n</table></div>\n"
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped += "&amp;",
            '<' => escaped += "&lt;",
            '>' => escaped += "&gt;",
            '"' => escaped += "&quot;",
            _ => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_cannot_become_markup() {
        assert_eq!(escape("a<b> & \"c\""), "a&lt;b&gt; &amp; &quot;c&quot;");
        let figure = figure("<", "\"", "<?xml?><svg width=\"1\"></svg>");
        assert!(figure.contains("<figcaption>&lt;</figcaption>") && figure.contains("aria-label=\"&quot;\" width"));
    }

    #[test]
    fn the_style_sheet_knows_every_colour_as_plots_write_it() {
        let lines = [Line {
            paint: GPU,
            mark: Mark::Dots,
            points: vec![(1024.0, 1.0), (4096.0, 2.0)],
        }];
        let plot = plots::over_bytes(&Axes { x: "x", y: "y" }, &lines).unwrap();
        assert!(plot.contains(&format!("stroke=\"{}\"", hex(GPU.light))), "{plot}");
        assert!(colours().contains(&format!("stroke=\"{}\"", hex(GPU.light))));
        assert!(plot.contains("viewBox"), "it scales: {plot}");
    }
}
