//! The charts of a report.

use std::time::Duration;

use super::super::summary::{Interval, Latency, Server, Summary};
use super::super::units;
use super::chart::{Anchor, Axis, Chart};
use super::scale::Scale;

/// A chart with what stands around it.
#[derive(Debug)]
pub(super) struct Figure {
    pub(super) title: &'static str,
    /// The class of each line, and what it is.
    pub(super) legend: Vec<(&'static str, String)>,
    pub(super) svg: String,
}

/// Of the latencies: the curve of percentiles, and the histogram.
pub(super) fn of_latency(latency: &Latency) -> [Figure; 2] {
    [percentiles(latency), histogram(latency)]
}

/// What happened when; of the server only what is known.
pub(super) fn over_time(summary: &Summary) -> Vec<Figure> {
    let end = seconds(summary.elapsed);
    let x = time_axis(end);
    let mut figures = vec![rate(summary, &x)];
    figures.extend(latency_over_time(&summary.timeline, &x));
    if let Some(server) = summary.server.as_ref().filter(|server| !server.points.is_empty()) {
        figures.push(cpu(server, &x));
        figures.push(memory(server, &x));
    }
    figures
}

fn percentiles(latency: &Latency) -> Figure {
    let nines = |percent: f64| -(1.0 - percent / 100.0).log10();
    let points = latency.percentiles.iter().filter(|point| point.percent < 100.0);
    let mut curve: Vec<_> = points.map(|point| (nines(point.percent).max(0.0), micro(point.took))).collect();
    let end = curve.last().map_or(1.0, |last| last.0).max(1.0);
    // The longest belongs to no number of nines: it stands at the end.
    curve.push((end, micro(latency.max)));
    let names = ["50 %", "90 %", "99 %", "99.9 %", "99.99 %", "99.999 %"];
    let places = [2_f64.log10(), 1.0, 2.0, 3.0, 4.0, 5.0];
    let ticks = places.into_iter().zip(names).filter(|(place, _)| *place <= end + 1e-9);
    let x = Axis {
        scale: Scale::Linear { low: 0.0, high: end },
        ticks: ticks.map(|(place, name)| (place, name.to_owned())).collect(),
        title: "share of the requests that took no longer",
    };
    let y = latency_axis(latency.min, latency.max);
    let label = format!(
        "Latency by percentile: p50 {}, p90 {}, p99 {}, p99.9 {}, max {}",
        units::micros(latency.p50),
        units::micros(latency.p90),
        units::micros(latency.p99),
        units::micros(latency.p999),
        units::micros(latency.max)
    );
    let mut chart = Chart::new(&label, &x, &y);
    chart.area("one", &curve);
    chart.line("one", curve.iter().copied().map(Some));
    // Where there is little room the second would lie on its neighbours.
    for (place, took, note, anchor) in [
        (2_f64.log10(), latency.p50, "note", Anchor::Middle),
        (1.0, latency.p90, "note more", Anchor::Middle),
        (2.0, latency.p99, "note", Anchor::End),
        (3.0, latency.p999, "note", Anchor::End),
        (end, latency.max, "note", Anchor::End),
    ] {
        if place < end - 0.2 || took == latency.max {
            chart.mark((place.min(end), micro(took)), note, anchor, &units::micros(took));
        }
        if took == latency.max {
            break;
        }
    }
    for pair in latency.percentiles.windows(2) {
        if let [from, to] = pair
            && to.percent < 100.0
        {
            let title = format!("{} % within {}", nine(to.percent), units::micros(to.took));
            chart.stripe((nines(from.percent).max(0.0), nines(to.percent)), &title);
        }
    }
    Figure { title: "Latency by percentile", legend: Vec::new(), svg: chart.finish() }
}

fn histogram(latency: &Latency) -> Figure {
    let (first, last) = (latency.bars.first(), latency.bars.last());
    let (from, to) = (first.map_or(1, |bar| bar.from), last.map_or(1, |bar| bar.to));
    // A column of one value has a width too.
    let (low, high) = (micro(from) - 0.5, micro(to) + 0.5);
    let (_, ticks) = Scale::by_ratio(low, high);
    let scale = Scale::Log { low, high };
    let inside = |tick: &f64| *tick >= low && *tick <= high;
    let ticks = ticks.into_iter().filter(inside).map(|tick| (tick, of_micros(tick))).collect();
    let x = Axis { scale, ticks, title: "latency (log scale)" };
    let share = |count: u64| 100.0 * micro(count) / micro(latency.count.max(1));
    let most = latency.bars.iter().map(|bar| bar.count).max().unwrap_or_default();
    let y = axis_from_zero(share(most), "% of the requests", units::three);
    let label = format!(
        "Histogram of the latency from {} to {}, most around {}",
        units::micros(from),
        units::micros(to),
        latency.bars.iter().max_by_key(|bar| bar.count).map_or_else(String::new, |bar| units::micros(bar.to))
    );
    let mut chart = Chart::new(&label, &x, &y);
    for bar in latency.bars.iter().filter(|bar| bar.count > 0) {
        let title = format!(
            "{} to {}: {} ({})",
            units::micros(bar.from),
            units::micros(bar.to),
            units::count(bar.count),
            units::percent(bar.count, latency.count)
        );
        chart.column("one", (micro(bar.from) - 0.5, micro(bar.to) + 0.5), share(bar.count), &title);
    }
    let tail = latency.tail.map(|tail| {
        let (count, part) = (units::count(tail.count), units::percent(tail.count, latency.count));
        let longest = units::micros(tail.to);
        ("", format!("{count} more ({part}) took longer, up to {longest}"))
    });
    Figure { title: "Histogram", legend: tail.into_iter().collect(), svg: chart.finish() }
}

fn rate(summary: &Summary, x: &Axis) -> Figure {
    let asked = summary.rate_asked();
    let most = summary.timeline.iter().map(Interval::rate).fold(asked.unwrap_or_default(), f64::max);
    let y = axis_from_zero(most, "answers a second", units::rate);
    let mut chart = Chart::new(
        &format!("Rate over time: {} right answers a second in all", units::rate(summary.rate)),
        x,
        &y,
    );
    let points: Vec<_> = summary.timeline.iter().flat_map(|part| flat(ends(part), part.rate())).collect();
    chart.area("one", &points);
    if let Some(asked) = asked {
        chart.line("asked", [Some((0.0, asked)), Some((seconds(summary.elapsed), asked))]);
    }
    chart.line("one", points.into_iter().map(Some));
    for part in &summary.timeline {
        let errors = units::number(part.errors, "error");
        let title = format!("{}: {}/s, {errors}", when(part), units::rate(part.rate()));
        if part.errors > 0 {
            chart.column("bad", ends(part), part.error_rate(), &title);
        }
        chart.stripe(ends(part), &title);
    }
    let mut legend = vec![("one", "answered".to_owned())];
    legend.extend(asked.map(|rate| ("asked", format!("asked: {}/s", units::rate(rate)))));
    if summary.wrong() > 0 {
        legend.push(("bad", "errors".to_owned()));
    }
    Figure { title: "Rate", legend, svg: chart.finish() }
}

fn latency_over_time(timeline: &[Interval], x: &Axis) -> Option<Figure> {
    let all = || timeline.iter().filter_map(|part| part.took);
    let (least, most) = (all().map(|(p50, _, _)| p50).min()?, all().map(|(_, _, max)| max).max()?);
    let p99 = all().map(|(_, p99, _)| p99).max()?;
    let y = latency_axis(least, most);
    let label =
        format!("Latency over time: p50 from {}, p99 up to {}", units::micros(least), units::micros(p99));
    let mut chart = Chart::new(&label, x, &y);
    for (class, index) in [("three", 2), ("two", 1), ("one", 0)] {
        let of = |part: &Interval| {
            let (p50, p99, max) = part.took?;
            [p50, p99, max].get(index).map(|took: &u64| micro(*took))
        };
        let points = timeline.iter().flat_map(|part| {
            let flat = of(part).map(|took| flat(ends(part), took));
            flat.map_or([None, None], |points| points.map(Some))
        });
        chart.line(class, points);
    }
    for part in timeline {
        let title = part.took.map_or_else(
            || format!("{}: none", when(part)),
            |(p50, p99, max)| {
                let [p50, p99, max] = [p50, p99, max].map(units::micros);
                format!("{}: p50 {p50}, p99 {p99}, max {max}", when(part))
            },
        );
        chart.stripe(ends(part), &title);
    }
    let legend = [("one", "p50"), ("two", "p99"), ("three", "max")];
    let legend = legend.map(|(class, name)| (class, name.to_owned())).to_vec();
    Some(Figure { title: "Latency, by due time", legend, svg: chart.finish() })
}

fn cpu(server: &Server, x: &Axis) -> Figure {
    let most = server.points.iter().map(|point| point.cores).fold(0.0, f64::max);
    let y = axis_from_zero(most, "cores", units::three);
    let mut chart = Chart::new(
        &format!("CPU of the server over time: {} cores on average", units::three(server.cores)),
        x,
        &y,
    );
    let mut from = 0.0;
    let points = server.points.iter().flat_map(|point| {
        let to = seconds(point.at);
        flat((std::mem::replace(&mut from, to), to), point.cores)
    });
    let points: Vec<_> = points.collect();
    chart.area("four", &points);
    chart.line("four", points.iter().copied().map(Some));
    stripes(&mut chart, server, |index| {
        server
            .points
            .get(index)
            .map_or_else(String::new, |point| format!("{} cores", units::three(point.cores)))
    });
    Figure { title: "CPU of the server", legend: Vec::new(), svg: chart.finish() }
}

fn memory(server: &Server, x: &Axis) -> Figure {
    const MIB: f64 = 1_048_576.0;
    let most = micro(server.peak_rss_bytes) / MIB;
    let y = axis_from_zero(most, "MiB (resident)", units::three);
    let label =
        format!("Memory of the server over time: {} at the most", units::bytes(server.peak_rss_bytes));
    let mut chart = Chart::new(&label, x, &y);
    let start = std::iter::once((0.0, micro(server.start.rss_bytes) / MIB));
    let later = server.points.iter().map(|point| (seconds(point.at), micro(point.usage.rss_bytes) / MIB));
    let points: Vec<_> = start.chain(later).collect();
    chart.area("five", &points);
    chart.line("five", points.iter().copied().map(Some));
    stripes(&mut chart, server, |index| {
        server.points.get(index).map_or_else(String::new, |point| {
            format!("{}, {} threads", units::bytes(point.usage.rss_bytes), point.usage.threads)
        })
    });
    Figure { title: "Memory of the server", legend: Vec::new(), svg: chart.finish() }
}

fn stripes(chart: &mut Chart, server: &Server, told: impl Fn(usize) -> String) {
    let mut from = 0.0;
    for (index, point) in server.points.iter().enumerate() {
        let to = seconds(point.at);
        chart.stripe((from, to), &format!("{}: {}", units::span(point.at), told(index)));
        from = to;
    }
}

fn time_axis(end: f64) -> Axis {
    let (scale, ticks) = Scale::of_time(end);
    let label = |tick| (tick, units::span(Duration::try_from_secs_f64(tick).unwrap_or_default()));
    Axis {
        scale,
        ticks: ticks.into_iter().map(label).collect(),
        title: "time from the start of the measurement",
    }
}

fn axis_from_zero(most: f64, title: &'static str, label: impl Fn(f64) -> String) -> Axis {
    let (scale, ticks) = Scale::from_zero(most, 5);
    Axis { scale, ticks: ticks.into_iter().map(|tick| (tick, label(tick))).collect(), title }
}

/// By ratio where the longest is many times the shortest, for a line would lie on the floor.
fn latency_axis(least: u64, most: u64) -> Axis {
    let (least, most) = (micro(least), micro(most));
    let ((scale, ticks), title) = if most / least < 8.0 {
        (Scale::from_zero(most, 5), "latency")
    } else {
        (Scale::by_ratio(least, most), "latency (log scale)")
    };
    Axis { scale, ticks: ticks.into_iter().map(|tick| (tick, of_micros(tick))).collect(), title }
}

/// `99.99`, without what a division leaves behind.
fn nine(percent: f64) -> String {
    let text = format!("{percent:.4}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn when(part: &Interval) -> String {
    format!("{} to {}", units::span(part.start), units::span(part.start.saturating_add(part.width)))
}

/// The same all the time.
fn flat((from, to): (f64, f64), value: f64) -> [(f64, f64); 2] {
    [(from, value), (to, value)]
}

fn ends(part: &Interval) -> (f64, f64) {
    (seconds(part.start), seconds(part.start) + seconds(part.width))
}

fn seconds(time: Duration) -> f64 {
    time.as_secs_f64()
}

fn of_micros(micros: f64) -> String {
    if micros == 0.0 { "0".to_owned() } else { units::time(Duration::from_nanos(nanos(micros))) }
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a label of an axis of a minute")]
fn nanos(micros: f64) -> u64 {
    (micros * 1e3).round() as u64
}

#[allow(clippy::cast_precision_loss, reason = "a place in a drawing")]
fn micro(count: u64) -> f64 {
    count as f64
}
