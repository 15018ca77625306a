//! The plots of the report, as SVG elements. Colours stand for roles, which the page's style sheet gives their values in
//! light and dark.

use std::fmt::Debug;
use std::ops::Range;

use plotters::coord::Shift;
use plotters::coord::ranged1d::{AsRangedCoord, Ranged, ValueFormatter};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::variants::Map;
use crate::failure::{Failure, Result};
use crate::font::{self, TEXT};

/// Small, so that its text is readable on a phone; it scales with the page.
const SIZE: (u32, u32) = (480, 320);
const TEXT_SIZE: i32 = 13;

/// A colour by its role: the page's style sheet replaces these.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Paint {
    pub light: RGBColor,
    pub dark: RGBColor,
}

const fn paint(light: (u8, u8, u8), dark: (u8, u8, u8)) -> Paint {
    Paint {
        light: RGBColor(light.0, light.1, light.2),
        dark: RGBColor(dark.0, dark.1, dark.2),
    }
}

/// Colours that people with defective colour vision can tell apart (Okabe and Ito), and their equals on a dark ground.
pub const PAINTS: [Paint; 7] = [
    paint((0, 114, 178), (86, 180, 233)),
    paint((213, 94, 0), (255, 150, 70)),
    paint((0, 130, 100), (60, 200, 160)),
    paint((160, 80, 130), (225, 150, 195)),
    paint((110, 110, 110), (170, 170, 170)),
    paint((150, 110, 0), (240, 228, 66)),
    paint((60, 60, 150), (150, 150, 250)),
];

pub const GPU: Paint = PAINTS[0];
pub const CPU: Paint = PAINTS[1];
pub const COPY: Paint = PAINTS[4];
pub const BEST: Paint = PAINTS[2];

/// How the points of a line are drawn: told apart without colours too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    Dots,
    Triangles,
    Plain,
    Dashes,
}

pub struct Line {
    pub paint: Paint,
    pub mark: Mark,
    pub points: Vec<(f64, f64)>,
}

/// What both axes are called, and whether the horizontal one is in bytes or plain.
pub struct Axes<'a> {
    pub x: &'a str,
    pub y: &'a str,
}

/// Lines over a logarithmic axis of bytes.
pub fn over_bytes(axes: &Axes<'_>, lines: &[Line]) -> Result<String> {
    let range = bounds(lines.iter().flat_map(|line| &line.points).map(|point| point.0));
    let x = (range.start / 1.3..range.end * 1.3).log_scale().base(2.0);
    chart(axes, lines, x, |bytes| bytes_text(*bytes))
}

/// Lines over a linear axis.
pub fn over_numbers(axes: &Axes<'_>, lines: &[Line]) -> Result<String> {
    let range = bounds(lines.iter().flat_map(|line| &line.points).map(|point| point.0));
    chart(axes, lines, range, |x| format!("{x:.0}"))
}

fn chart<X>(axes: &Axes<'_>, lines: &[Line], x: X, x_text: impl Fn(&f64) -> String) -> Result<String>
where
    X: AsRangedCoord<Value = f64>,
    X::CoordDescType: Ranged<ValueType = f64> + ValueFormatter<f64>,
{
    let highest = bounds(lines.iter().flat_map(|line| &line.points).map(|point| point.1)).end;
    svg(|area| {
        let mut chart = ChartBuilder::on(area)
            .margin(10)
            .margin_right(24)
            .x_label_area_size(44)
            .y_label_area_size(52)
            .build_cartesian_2d(x, 0.0..highest * 1.05)?;
        chart
            .configure_mesh()
            .disable_x_mesh()
            .light_line_style(TRANSPARENT)
            .bold_line_style(COPY.light.mix(0.3))
            .x_labels(6)
            .y_labels(6)
            .label_style((TEXT, TEXT_SIZE))
            .axis_desc_style((TEXT, TEXT_SIZE))
            .x_label_formatter(&x_text)
            .x_desc(axes.x)
            .y_desc(axes.y)
            .draw()?;
        for line in lines {
            let points = line.points.iter().copied();
            let style = line.paint.light.stroke_width(2);
            match line.mark {
                Mark::Dashes => {
                    chart.draw_series(DashedLineSeries::new(points.clone(), 6, 4, style))?;
                }
                _ => {
                    chart.draw_series(LineSeries::new(points.clone(), style))?;
                }
            }
            let fill = line.paint.light.filled();
            match line.mark {
                Mark::Dots => {
                    chart.draw_series(points.map(|point| Circle::new(point, 3, fill)))?;
                }
                Mark::Triangles => {
                    chart.draw_series(points.map(|point| TriangleMarker::new(point, 5, fill)))?;
                }
                Mark::Plain | Mark::Dashes => {}
            }
        }
        Ok(())
    })
}

/// Points on logarithmic axes of equal extent, with the diagonal on which x and y are equal.
pub fn against(axes: &Axes<'_>, points: &[(f64, f64)]) -> Result<String> {
    let range = bounds(points.iter().flat_map(|&(x, y)| [x, y]));
    let range = range.start / 1.5..range.end * 1.5;
    svg(|area| {
        let mut chart = ChartBuilder::on(area)
            .margin(10)
            .margin_right(24)
            .x_label_area_size(44)
            .y_label_area_size(56)
            .build_cartesian_2d(range.clone().log_scale(), range.clone().log_scale())?;
        chart
            .configure_mesh()
            .light_line_style(TRANSPARENT)
            .bold_line_style(COPY.light.mix(0.3))
            .label_style((TEXT, TEXT_SIZE))
            .axis_desc_style((TEXT, TEXT_SIZE))
            .x_label_formatter(&|ms| number(*ms))
            .y_label_formatter(&|ms| number(*ms))
            .x_desc(axes.x)
            .y_desc(axes.y)
            .draw()?;
        let diagonal = [(range.start, range.start), (range.end, range.end)];
        chart.draw_series(LineSeries::new(diagonal, COPY.light.stroke_width(1)))?;
        chart.draw_series(points.iter().map(|&point| Circle::new(point, 4, GPU.light.filled())))?;
        Ok(())
    })
}

/// A cell for every pair of powers of two, in the colour and with the initials of its variant.
pub fn map(map: &Map, name: impl Fn(&super::variants::Cell) -> (Paint, &'static str)) -> Result<String> {
    let (right, top) = map.cells.iter().fold((0, 0), |(right, top), cell| {
        (right.max(cell.length), top.max(cell.segments))
    });
    svg(|area| {
        let mut chart = ChartBuilder::on(area)
            .margin(10)
            .margin_right(24)
            .x_label_area_size(44)
            .y_label_area_size(64)
            .build_cartesian_2d(1.0..f64::from(right) + 1.0, -1.0..f64::from(top) + 1.0)?;
        let power = |exponent: &f64| format!("2^{exponent:.0}");
        chart
            .configure_mesh()
            .disable_mesh()
            .x_labels(12)
            .y_labels(11)
            .label_style((TEXT, TEXT_SIZE))
            .axis_desc_style((TEXT, TEXT_SIZE))
            .x_label_formatter(&power)
            .y_label_formatter(&power)
            .x_desc("elements of a segment")
            .y_desc("segments")
            .draw()?;
        for cell in &map.cells {
            let (paint, initials) = name(cell);
            let (x, y) = (f64::from(cell.length), f64::from(cell.segments));
            let corners = [(x - 0.95, y - 0.95), (x + 0.95, y + 0.95)];
            chart.draw_series([Rectangle::new(corners, paint.light.mix(0.35).filled())])?;
            let centered = (TEXT, TEXT_SIZE)
                .into_text_style(area)
                .pos(Pos::new(HPos::Center, VPos::Center));
            chart.draw_series([Text::new(initials, (x, y), centered)])?;
        }
        Ok(())
    })
}

fn svg<F>(draw: F) -> Result<String>
where
    F: FnOnce(&DrawingArea<SVGBackend<'_>, Shift>) -> std::result::Result<(), Box<dyn std::error::Error>>,
{
    font::register();
    let mut text = String::new();
    {
        let area = SVGBackend::with_string(&mut text, SIZE).into_drawing_area();
        let drawn = draw(&area).and_then(|()| Ok(area.present()?));
        drawn.map_err(|error| Failure::Input(format!("cannot draw a plot: {error}")))?;
    }
    Ok(text)
}

/// The smallest and the largest; something to draw where there is nothing.
fn bounds(values: impl Iterator<Item = f64>) -> Range<f64> {
    let finite = values.filter(|value| value.is_finite());
    let (low, high) = finite.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
        (low.min(value), high.max(value))
    });
    match low < high {
        true => low..high,
        false if low.is_finite() => low * 0.5..low * 2.0 + f64::MIN_POSITIVE,
        false => 1.0..2.0,
    }
}

/// A round number of bytes, as an axis has them.
fn bytes_text(bytes: f64) -> String {
    const UNITS: [&str; 4] = ["B", "KiB", "MiB", "GiB"];
    let (mut value, mut unit) = (bytes, 0);
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        (value, unit) = (value / 1024.0, unit + 1);
    }
    format!("{} {}", number(value), UNITS[unit])
}

/// Without needless digits.
fn number(value: f64) -> String {
    let digits = if value >= 10.0 {
        0
    } else if value >= 1.0 {
        1
    } else {
        3
    };
    let text = format!("{value:.digits$}");
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_and_numbers_are_short() {
        assert_eq!(bytes_text(16384.0), "16 KiB");
        assert_eq!(bytes_text(1536.0), "1.5 KiB");
        assert_eq!(bytes_text(256.0 * 1048576.0), "256 MiB");
        assert_eq!(number(0.01), "0.01");
        assert_eq!(number(2.0), "2");
    }

    #[test]
    fn there_is_always_something_to_draw_on() {
        assert_eq!(bounds([3.0, 1.0].into_iter()), 1.0..3.0);
        assert_eq!(bounds([4.0].into_iter()).start, 2.0);
        assert_eq!(bounds([f64::NAN].into_iter()), 1.0..2.0);
    }
}
