//! Drawing histograms: two panels beside each other, as wide as a phone shows them readably, on white.

use std::error::Error;
use std::io::Cursor;

use image::{ImageFormat, RgbImage};
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::Kind;
use super::panel::{MARKS, Panel};
use crate::bench::plots::PAINTS;
use crate::failure::{Failure, Result};
use crate::font::{self, TEXT};

/// Panels beside each other.
const BESIDE: usize = 2;
/// A panel in units of SVG; of a bitmap, each is several pixels.
const PANEL: (u32, u32) = (380, 240);
const FOOT: u32 = 30;
const PIXELS: u32 = 2;

const BARS: RGBColor = PAINTS[0].light;
const LINES: RGBColor = PAINTS[1].light;
const INK: RGBColor = RGBColor(40, 40, 40);
const FAINT: RGBColor = RGBColor(110, 110, 110);

type Drawn = std::result::Result<(), Box<dyn Error>>;

/// A figure of panels: by column, then by state.
pub fn draw(kind: Kind, panels: &[Vec<&Panel>]) -> Result<Vec<u8>> {
    font::register();
    let states = panels.iter().map(Vec::len).max().unwrap_or(1);
    let beside = states.min(BESIDE) as u32;
    let high: u32 = panels.iter().map(|states| states.len().div_ceil(BESIDE) as u32).sum();
    let size = |unit: u32| (PANEL.0 * beside * unit, (PANEL.1 * high + FOOT) * unit);
    let cannot = |error: &dyn std::fmt::Display| Failure::Input(format!("cannot draw the figure: {error}"));
    match kind {
        Kind::Svg => {
            let mut text = String::new();
            figure(SVGBackend::with_string(&mut text, size(1)), panels, 1).map_err(|error| cannot(&error))?;
            Ok(text.into_bytes())
        }
        Kind::Png => {
            let (width, height) = size(PIXELS);
            let mut pixels = vec![0; width as usize * height as usize * 3];
            let backend = BitMapBackend::with_buffer(&mut pixels, (width, height));
            figure(backend, panels, PIXELS).map_err(|error| cannot(&error))?;
            let image = RgbImage::from_raw(width, height, pixels).ok_or_else(|| cannot(&"it is too large"))?;
            let mut file = Cursor::new(Vec::new());
            image
                .write_to(&mut file, ImageFormat::Png)
                .map_err(|error| cannot(&error))?;
            Ok(file.into_inner())
        }
    }
}

fn figure<B: DrawingBackend>(backend: B, panels: &[Vec<&Panel>], unit: u32) -> Drawn
where
    B::ErrorType: 'static,
{
    let area = backend.into_drawing_area();
    area.fill(&WHITE)?;
    let (width, height) = area.dim_in_pixel();
    let (body, foot) = area.split_vertically(height - FOOT * unit);
    let mut top = 0;
    for states in panels {
        for (i, panel) in states.iter().enumerate() {
            let left = (i % BESIDE) as u32 * PANEL.0 * unit;
            let upper = top + (i / BESIDE) as u32 * PANEL.1 * unit;
            let place = body.clone().shrink((left, upper), (PANEL.0 * unit, PANEL.1 * unit));
            draw_panel(&place, panel, unit)?;
        }
        top += states.len().div_ceil(BESIDE) as u32 * PANEL.1 * unit;
    }
    let text = (TEXT, 12 * unit).into_text_style(&foot).color(&FAINT);
    let text = text.pos(Pos::new(HPos::Center, VPos::Center));
    let middle = ((width / 2) as i32, (FOOT * unit / 2) as i32);
    foot.draw(&Text::new(
        "bars: numbers of values; lines: median (solid), quartiles (dashed), 5% and 95% (dotted)",
        middle,
        text,
    ))?;
    area.present()?;
    Ok(())
}

fn draw_panel<B: DrawingBackend>(area: &DrawingArea<B, Shift>, panel: &Panel, unit: u32) -> Drawn
where
    B::ErrorType: 'static,
{
    let font = |size: u32| (TEXT, size * unit);
    let at = |x: u32, y: u32| ((x * unit) as i32, (y * unit) as i32);
    let title = format!("{}: {}", shortened(&panel.column, 24), panel.state);
    area.draw(&Text::new(
        title,
        at(52, 12),
        font(15).into_text_style(area).color(&INK),
    ))?;
    area.draw(&Text::new(
        counts(panel),
        at(52, 31),
        font(12).into_text_style(area).color(&FAINT),
    ))?;

    let highest = panel.counts.iter().copied().max().unwrap_or(0).max(1) as f64;
    let (from, to) = (panel.edges[0], panel.edges[panel.edges.len() - 1]);
    let mut chart = ChartBuilder::on(area)
        .margin_top(50 * unit)
        .margin_right(20 * unit)
        .margin_bottom(6 * unit)
        .x_label_area_size(26 * unit)
        .y_label_area_size(52 * unit)
        .build_cartesian_2d(from..to, 0.0..highest * 1.06)?;
    let step = (to - from) / 5.0;
    (chart.configure_mesh())
        .disable_x_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(FAINT.mix(0.25))
        .axis_style(FAINT)
        .x_labels(6)
        .y_labels(5)
        .label_style(font(12).into_text_style(area).color(&INK))
        .x_label_formatter(&|x| number(*x, step))
        .y_label_formatter(&|count| number(*count, highest / 5.0))
        .draw()?;
    chart.draw_series(panel.edges.windows(2).zip(&panel.counts).map(|(edges, &count)| {
        let corners = [(edges[0], 0.0), (edges[1], count as f64)];
        Rectangle::new(corners, BARS.mix(0.75).filled())
    }))?;
    for (&mark, &x) in MARKS.iter().zip(&panel.quantiles) {
        if !(from..=to).contains(&x) {
            continue;
        }
        let line = [(x, 0.0), (x, highest * 1.06)];
        let style = LINES.stroke_width(unit + unit / 2);
        let (dash, gap) = match mark {
            0.5 => {
                chart.draw_series(LineSeries::new(line, style))?;
                continue;
            }
            0.25 | 0.75 => (7, 4),
            _ => (2, 4),
        };
        chart.draw_series(DashedLineSeries::new(line, dash * unit, gap * unit, style))?;
    }
    Ok(())
}

/// What is known of the values besides their distribution.
fn counts(panel: &Panel) -> String {
    let mut text = format!("{} values", panel.rows - panel.missing);
    if panel.missing > 0 {
        text += &format!(", {} missing", panel.missing);
    }
    if panel.beyond > 0 {
        text += &format!(", {} beyond the axis", panel.beyond * panel.every);
    }
    if panel.every > 1 {
        text += &format!(", one of {} shown", panel.every);
    }
    text
}

fn shortened(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}

/// A label of an axis whose labels are a step apart.
fn number(value: f64, step: f64) -> String {
    if value != 0.0 && (value.abs() >= 1e5 || value.abs() < 1e-3) {
        return format!("{value:.1e}").replace(".0e", "e");
    }
    let digits = (1.0 - step.abs().log10()).ceil().clamp(0.0, 6.0) as usize;
    let text = format!("{value:.digits$}");
    let text = match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.'),
        false => &text,
    };
    if text == "-0" { "0".into() } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_short() {
        let labels = [
            (0.5, 0.1),
            (-2.0, 2.0),
            (0.0, 1.0),
            (100.0, 20.0),
            (2.5e6, 5e5),
            (-0.0, 1.0),
        ];
        let texts = labels.map(|(value, step)| number(value, step));
        assert_eq!(texts, ["0.5", "-2", "0", "100", "2.5e6", "0"]);
        assert_eq!(shortened("abcdef", 3), "abc...");
    }
}
