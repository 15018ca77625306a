//! The figure of a sweep: loss and accuracy over the learning rate, as SVG.

use std::error::Error;

use epaint_default_fonts::UBUNTU_LIGHT;
use plotters::coord::Shift;
use plotters::coord::ranged1d::{AsRangedCoord, Ranged, ValueFormatter};
use plotters::prelude::*;
use plotters::style::register_font;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use crate::data::CLASSES;
use crate::norm::Norm;
use crate::sweep::{Cell, RATES, SEEDS, Spread};

/// Two panels beside each other, and a line of names below them.
const SIZE: (u32, u32) = (860, 400);
const FOOT: u32 = 64;
const TEXT: &str = "sans-serif";
const INK: RGBColor = RGBColor(40, 40, 40);
const FAINT: RGBColor = RGBColor(110, 110, 110);
/// The least loss of the axis, the largest, and where those lie that are larger or no number.
const LEAST: f64 = 1e-3;
const MOST: f64 = 10.0;
const BEYOND: f64 = 30.0;

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Drawn = Result<(), Box<dyn Error>>;

/// Colours that people with defective colour vision can tell apart (Okabe and Ito).
fn colour(norm: Norm) -> RGBColor {
    match norm {
        Norm::None => RGBColor(110, 110, 110),
        Norm::Batch => RGBColor(0, 114, 178),
        Norm::Layer => RGBColor(213, 94, 0),
        Norm::Group => RGBColor(0, 130, 100),
        Norm::Rms => RGBColor(160, 80, 130),
    }
}

/// The outline of a norm's points, told apart without colours too.
fn outline(norm: Norm) -> Vec<(i32, i32)> {
    match norm {
        Norm::None => vec![(0, -6), (6, 0), (0, 6), (-6, 0)],
        Norm::Batch => (0..12)
            .map(|i| (f64::from(i) * std::f64::consts::TAU / 12.0).sin_cos())
            .map(|(sin, cos)| ((sin * 5.0).round() as i32, (cos * 5.0).round() as i32))
            .collect(),
        Norm::Layer => vec![(0, -6), (6, 5), (-6, 5)],
        Norm::Group => vec![(-4, -4), (4, -4), (4, 4), (-4, 4)],
        Norm::Rms => vec![(0, 6), (6, -5), (-6, -5)],
    }
}

/// The figure, as the text of an SVG file.
pub fn draw(cells: &[Cell], epochs: u32) -> Result<String, Box<dyn Error>> {
    // One that comes with the program, so that text is as wide everywhere.
    register_font(TEXT, FontStyle::Normal, UBUNTU_LIGHT).map_err(|_| "the font cannot be read")?;
    let mut text = String::new();
    figure(
        &SVGBackend::with_string(&mut text, SIZE).into_drawing_area(),
        cells,
        epochs,
    )?;
    Ok(text)
}

fn figure(area: &Area<'_>, cells: &[Cell], epochs: u32) -> Drawn {
    area.fill(&WHITE)?;
    let (panels, foot) = area.split_vertically(SIZE.1 - FOOT);
    let panels = panels.split_evenly((1, 2));
    let title = format!("training loss after {epochs} epochs");
    panel(&panels[0], &title, (LEAST..BEYOND * 1.3).log_scale(), cells, |cell| {
        let Spread { least, median, most } = cell.losses();
        [least, median, most].map(|loss| if loss <= MOST { loss.max(LEAST) } else { BEYOND })
    })?;
    panel(&panels[1], "test accuracy, %", 0.0..102.0, cells, |cell| {
        let Spread { least, median, most } = cell.accuracies();
        [least, median, most].map(|accuracy| accuracy * 100.0)
    })?;
    names(&foot)?;
    area.present()?;
    Ok(())
}

/// A line a norm through the medians, with a bar from the least to the most at every rate.
fn panel<Y>(area: &Area<'_>, title: &str, y: Y, cells: &[Cell], values: impl Fn(&Cell) -> [f64; 3]) -> Drawn
where
    Y: AsRangedCoord<Value = f64>,
    Y::CoordDescType: Ranged<ValueType = f64> + ValueFormatter<f64>,
{
    let label = |size| (TEXT, size).into_text_style(area).color(&INK);
    area.draw(&Text::new(title, (64, 12), label(15)))?;
    let ends = f64::from(RATES[0]) / 1.5..f64::from(RATES[RATES.len() - 1]) * 1.5;
    let mut chart = ChartBuilder::on(area)
        .margin_top(38)
        .margin_right(16)
        .x_label_area_size(44)
        .y_label_area_size(64)
        .build_cartesian_2d(ends.log_scale(), y)?;
    (chart.configure_mesh())
        .light_line_style(TRANSPARENT)
        .bold_line_style(FAINT.mix(0.25))
        .axis_style(FAINT)
        .label_style(label(13))
        .axis_desc_style(label(13))
        .x_desc("learning rate")
        .x_labels(4)
        .y_labels(6)
        .x_label_formatter(&|rate| format!("{rate}"))
        .y_label_formatter(&|value| format!("{value}"))
        .draw()?;
    for (i, norm) in Norm::ALL.into_iter().enumerate() {
        // Beside each other, since ranges would hide each other.
        let aside = 1.06f64.powf(i as f64 - 2.0);
        let points: Vec<_> = (cells.iter().filter(|cell| cell.norm == norm))
            .map(|cell| (f64::from(cell.rate) * aside, values(cell)))
            .collect();
        let line = points.iter().map(|&(rate, [_, median, _])| (rate, median));
        let style = colour(norm).stroke_width(2);
        chart.draw_series(points.iter().map(|&(rate, [least, _, most])| {
            PathElement::new([(rate, least), (rate, most)], colour(norm).mix(0.5).stroke_width(3))
        }))?;
        chart.draw_series(LineSeries::new(line.clone(), style))?;
        chart.draw_series(line.map(|point| EmptyElement::at(point) + Polygon::new(outline(norm), colour(norm))))?;
    }
    Ok(())
}

/// What the colours stand for.
fn names(area: &Area<'_>) -> Drawn {
    let centered = |text: &str, x: i32, y: i32, size: i32, ink: &RGBColor| {
        let style = (TEXT, size).into_text_style(area).color(ink);
        area.draw(&Text::new(
            text.to_owned(),
            (x, y),
            style.pos(Pos::new(HPos::Center, VPos::Center)),
        ))
    };
    let middle = SIZE.0 as i32 / 2;
    for (i, norm) in Norm::ALL.into_iter().enumerate() {
        let x = middle + (i as i32 - 2) * 120;
        let text = if norm == Norm::None { "no norm" } else { norm.name() };
        area.draw(&(EmptyElement::at((x - 40, 16)) + Polygon::new(outline(norm), colour(norm))))?;
        centered(text, x, 16, 15, &INK)?;
    }
    let text = format!(
        "points: medians of {SEEDS} seeds; bars: least to most; losses on top: beyond {MOST} or not finite; \
         guessing: {:.2}",
        (CLASSES as f64).ln()
    );
    centered(&text, middle, 44, 13, &FAINT)?;
    Ok(())
}
