//! A chart as inline SVG, drawn when the report is written: no script, no colour of its own (the page's style has those).

use std::fmt::Write as _;

use super::scale::Scale;
use super::words::escape;

/// The canvas, in units of the drawing. Half of a wide page shows it at about its size.
const WIDTH: f64 = 560.0;
const HEIGHT: f64 = 308.0;
/// Room for the labels around the plot.
const LEFT: f64 = 70.0;
const RIGHT: f64 = 34.0;
const TOP: f64 = 30.0;
const BOTTOM: f64 = 52.0;
/// The height and the width at which a column is still seen.
const LEAST: f64 = 1.5;

/// An axis.
#[derive(Clone, Debug)]
pub(super) struct Axis {
    pub(super) scale: Scale,
    /// Where lines are drawn, and what is written there.
    pub(super) ticks: Vec<(f64, String)>,
    /// What is measured, with its unit.
    pub(super) title: &'static str,
}

/// A drawing that grows.
#[derive(Debug)]
pub(super) struct Chart {
    x: Scale,
    y: Scale,
    svg: String,
}

/// How a text stands to its place.
#[derive(Clone, Copy, Debug)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

impl Chart {
    /// Axes and their grid. `label` says to those who do not see it what it shows.
    pub(super) fn new(label: &str, x: &Axis, y: &Axis) -> Self {
        let mut chart = Self { x: x.scale, y: y.scale, svg: String::new() };
        let label = escape(label);
        chart.put(format_args!(r#"<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{label}">"#));
        let (left, right, top, bottom) = (LEFT, WIDTH - RIGHT, TOP, HEIGHT - BOTTOM);
        for (value, text) in &y.ticks {
            let at = chart.at_y(*value);
            chart.put(format_args!(r#"<path class="grid" d="M{left} {at:.1}H{right}"/>"#));
            chart.text("tick", (left - 8.0, at), Anchor::End, text);
        }
        for (index, (value, text)) in x.ticks.iter().enumerate() {
            let at = chart.at_x(*value);
            chart.put(format_args!(r#"<path class="grid" d="M{at:.1} {top}V{bottom}"/>"#));
            // A small screen shows every other one.
            let class = if index % 2 == 0 { "tick" } else { "tick more" };
            chart.text(class, (at, bottom + 14.0), Anchor::Middle, text);
        }
        chart.put(format_args!(r#"<path class="axis" d="M{left} {top}V{bottom}H{right}"/>"#));
        chart.text("title", (f64::midpoint(left, right), HEIGHT - 8.0), Anchor::Middle, x.title);
        chart.text("title", (4.0, 8.0), Anchor::Start, y.title);
        chart
    }

    /// A line through the points; where there is none it is interrupted.
    pub(super) fn line(&mut self, class: &str, points: impl IntoIterator<Item = Option<(f64, f64)>>) {
        let (mut path, mut pen) = (String::new(), 'M');
        for point in points {
            let Some((x, y)) = point else {
                pen = 'M';
                continue;
            };
            // Writing to a String does not fail.
            let _ = write!(path, "{pen}{:.1} {:.1}", self.at_x(x), self.at_y(y));
            pen = 'L';
        }
        self.put(format_args!(r#"<path class="line {class}" d="{path}"/>"#));
    }

    /// The room between the points and the axis below.
    pub(super) fn area(&mut self, class: &str, points: &[(f64, f64)]) {
        let (Some(first), Some(last)) = (points.first(), points.last()) else { return };
        let floor = HEIGHT - BOTTOM;
        let mut path = format!("M{:.1} {floor}", self.at_x(first.0));
        for (x, y) in points {
            let _ = write!(path, "L{:.1} {:.1}", self.at_x(*x), self.at_y(*y));
        }
        let _ = write!(path, "L{:.1} {floor}Z", self.at_x(last.0));
        self.put(format_args!(r#"<path class="area {class}" d="{path}"/>"#));
    }

    /// A column from the axis to `height`, from one value to another; it tells `title` when it is pointed at. The least is
    /// seen too.
    pub(super) fn column(&mut self, class: &str, (from, to): (f64, f64), height: f64, title: &str) {
        let (left, right, top) = (self.at_x(from), self.at_x(to), self.at_y(height));
        let height = (HEIGHT - BOTTOM - top).max(LEAST);
        let (width, top) = ((right - left - 1.0).max(LEAST), HEIGHT - BOTTOM - height);
        let title = escape(title);
        self.put(format_args!(
            r#"<rect class="column {class}" x="{left:.1}" y="{top:.1}" width="{width:.1}" height="{height:.1}"><title>{title}</title></rect>"#
        ));
    }

    /// A stripe over the whole height that tells `title` when it is pointed at.
    pub(super) fn stripe(&mut self, (from, to): (f64, f64), title: &str) {
        let (left, right) = (self.at_x(from), self.at_x(to));
        let (width, height, title) = ((right - left).max(0.5), HEIGHT - BOTTOM - TOP, escape(title));
        self.put(format_args!(
            r#"<rect class="stripe" x="{left:.1}" y="{TOP}" width="{width:.1}" height="{height}"><title>{title}</title></rect>"#
        ));
    }

    /// A point of the first line that is told of: a dot, and above it its text in the class `note`.
    pub(super) fn mark(&mut self, (x, y): (f64, f64), note: &str, anchor: Anchor, text: &str) {
        let (x, y) = (self.at_x(x), self.at_y(y));
        self.put(format_args!(r#"<circle class="dot one" cx="{x:.1}" cy="{y:.1}" r="3.5"/>"#));
        let aside = if matches!(anchor, Anchor::End) { 4.0 } else { 0.0 };
        self.text(note, (x - aside, y - 13.0), anchor, text);
    }

    /// The drawing.
    pub(super) fn finish(mut self) -> String {
        self.svg.push_str("</svg>");
        self.svg
    }

    fn text(&mut self, class: &str, (x, y): (f64, f64), anchor: Anchor, text: &str) {
        let (anchor, text) = (anchor.word(), escape(text));
        self.put(format_args!(
            r#"<text class="{class}" x="{x:.1}" y="{y:.1}" text-anchor="{anchor}" dominant-baseline="central">{text}</text>"#
        ));
    }

    fn at_x(&self, value: f64) -> f64 {
        LEFT + self.x.at(value) * (WIDTH - LEFT - RIGHT)
    }

    fn at_y(&self, value: f64) -> f64 {
        HEIGHT - BOTTOM - self.y.at(value) * (HEIGHT - BOTTOM - TOP)
    }

    fn put(&mut self, element: std::fmt::Arguments<'_>) {
        let _ = self.svg.write_fmt(element);
    }
}

impl Anchor {
    fn word(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Middle => "middle",
            Self::End => "end",
        }
    }
}
