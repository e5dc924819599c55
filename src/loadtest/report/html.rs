//! A report as one file that needs no network: style and drawings are in it, and it runs no script.
//!
//! The markup is well-formed XML too. All that comes from outside goes through `escape`.

use std::fmt::Write as _;

use super::super::limits::Missed;
use super::super::summary::{Interval, Latency, Server, Summary};
use super::super::units;
use super::figures::{self, Figure};
use super::words::{self, escape};

const STYLE: &str = include_str!("report.css");

/// The report of a run as a page.
#[must_use]
pub fn html(summary: &Summary, missed: &[Missed]) -> String {
    let mut page = Page(String::with_capacity(256 << 10));
    let target = &summary.asked.plan.target;
    let title = format!("{} at {}", words::protocol(target.protocol), words::address(&target.address));
    page.head(&title);
    page.header(summary, &title);
    page.missed(missed);
    page.cards(summary);
    if let Some(latency) = &summary.latency {
        page.put("<h2>Latency</h2>");
        page.charts(&figures::of_latency(latency));
        page.percentiles(latency);
    }
    if !summary.timeline.is_empty() {
        page.put("<h2>Over time</h2>");
        page.charts(&figures::over_time(summary));
        page.timeline(&summary.timeline);
        page.readings(summary.server.as_ref());
    }
    page.errors(summary);
    page.asked(summary);
    page.foot(summary);
    page.0
}

/// A page that grows. Writing to a String does not fail.
struct Page(String);

impl Page {
    fn put(&mut self, markup: &str) {
        self.0.push_str(markup);
        self.0.push('\n');
    }

    fn head(&mut self, title: &str) {
        let title = escape(title);
        self.put("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>");
        self.put("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>");
        // Should markup ever slip in: nothing is loaded and nothing runs.
        self.put(
            "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\"/>",
        );
        self.put("<meta name=\"color-scheme\" content=\"light dark\"/>");
        let _ = writeln!(self.0, "<title>Load test: {title}</title>\n<style>\n{STYLE}</style>\n</head>");
        self.put("<body>\n<main>");
    }

    fn header(&mut self, summary: &Summary, title: &str) {
        let plan = &summary.asked.plan;
        let [connections, streams, callers] = words::crowd(&summary.asked);
        let _ = writeln!(
            self.0,
            "<header>\n<p class=\"over\">bouncer loadtest</p>\n<h1>{}</h1>\n<p class=\"dim\">{} for {} · {connections}, \
             {streams}, {callers} · {}</p>\n</header>",
            escape(title),
            words::pace(plan.pace),
            units::span(summary.elapsed),
            summary.began.rfc3339()
        );
    }

    fn missed(&mut self, missed: &[Missed]) {
        if missed.is_empty() {
            return;
        }
        let count = units::number(missed.len() as u64, "limit");
        let _ =
            writeln!(self.0, "<div class=\"missed\" role=\"alert\">\n<strong>{count} missed</strong>\n<ul>");
        for each in missed {
            let _ = writeln!(self.0, "<li>{}</li>", escape(&each.to_string()));
        }
        self.put("</ul>\n</div>");
    }

    fn cards(&mut self, summary: &Summary) {
        self.put("<dl class=\"cards\">");
        let asked = summary.rate_asked();
        let asked = asked
            .map_or_else(|| "closed loop".to_owned(), |rate| format!("of {}/s asked", units::rate(rate)));
        let rate = format!("{} /s", units::rate(summary.rate));
        self.card("", "Rate", &rate, &["right answers".to_owned(), asked]);
        if let Some(latency) = &summary.latency {
            let [min, mean, p50, p99, p999, max] =
                [latency.min, latency.mean_micros(), latency.p50, latency.p99, latency.p999, latency.max]
                    .map(units::micros);
            self.card("", "Latency p50", &p50, &[format!("mean {mean}"), format!("min {min}")]);
            self.card("", "Latency p99", &p99, &[format!("p99.9 {p999}"), format!("max {max}")]);
        }
        let (wrong, all) = (summary.wrong(), summary.requests);
        let class = if wrong > 0 { "bad" } else { "" };
        let part = [units::percent(wrong, all), format!("of {}", units::number(all, "request"))];
        self.card(class, "Errors", &units::count(wrong), &part);
        if let Some(server) = &summary.server {
            if let Some(cpu) = server.cpu_per_request {
                let cores = format!("{} cores in use", units::three(server.cores));
                let cpu = format!("{} µs", units::three(cpu));
                self.card("", "Server CPU a request", &cpu, &[cores, "user and system".to_owned()]);
            }
            let [peak, start, end] =
                [server.peak_rss_bytes, server.start.rss_bytes, server.end.rss_bytes].map(units::bytes);
            let memory = [format!("{start} at the start"), format!("{end} at the end")];
            self.card("", "Server memory", &peak, &memory);
        }
        self.put("</dl>");
    }

    /// A value with its unit behind a space, and the lines below it.
    fn card(&mut self, class: &str, name: &str, value: &str, below: &[String]) {
        let (number, unit) = value.split_once(' ').unwrap_or((value, ""));
        let _ = write!(
            self.0,
            "<div class=\"{class}\"><dt>{name}</dt><dd class=\"value\">{number} <small>{unit}</small></dd>"
        );
        for line in below {
            let _ = write!(self.0, "<dd class=\"below\">{}</dd>", escape(line));
        }
        self.put("</div>");
    }

    fn charts(&mut self, figures: &[Figure]) {
        self.put("<div class=\"charts\">");
        for figure in figures {
            let _ = write!(self.0, "<figure>\n<figcaption><b>{}</b>", figure.title);
            for (class, name) in &figure.legend {
                let name = escape(name);
                let _ = if class.is_empty() {
                    write!(self.0, "<span class=\"note\">{name}</span>")
                } else {
                    write!(
                        self.0,
                        "<span><svg viewBox=\"0 0 26 10\" aria-hidden=\"true\"><path class=\"line {class}\" \
                         d=\"M1 5H25\"/></svg>{name}</span>"
                    )
                };
            }
            let _ = writeln!(self.0, "</figcaption>\n{}\n</figure>", figure.svg);
        }
        self.put("</div>");
    }

    fn percentiles(&mut self, latency: &Latency) {
        let columns = [
            ("min", latency.min),
            ("mean", latency.mean_micros()),
            ("p50", latency.p50),
            ("p90", latency.p90),
            ("p99", latency.p99),
            ("p99.9", latency.p999),
            ("max", latency.max),
        ];
        self.put("<div class=\"sheet even\"><table aria-label=\"Latency\">\n<thead><tr>");
        columns.iter().for_each(|(name, _)| self.put(&format!("<th scope=\"col\">{name}</th>")));
        self.put("</tr></thead>\n<tbody><tr>");
        columns.iter().for_each(|(_, took)| self.put(&format!("<td>{}</td>", units::micros(*took))));
        self.put("</tr></tbody>\n</table></div>");
        if latency.clamped > 0 {
            let clamped = units::count(latency.clamped);
            self.put(&format!("<p class=\"dim\">{clamped} took more than a minute and count as one.</p>"));
        }
    }

    fn timeline(&mut self, timeline: &[Interval]) {
        self.table("The time line in figures", &["from", "to", "rate", "errors", "p50", "p99", "max"]);
        for part in timeline {
            let [p50, p99, max] = part.took.map_or_else(
                || ["–", "–", "–"].map(str::to_owned),
                |(p50, p99, max)| [p50, p99, max].map(units::micros),
            );
            self.row(&[
                units::span(part.start),
                units::span(part.start.saturating_add(part.width)),
                format!("{}/s", units::rate(part.rate())),
                units::count(part.errors),
                p50,
                p99,
                max,
            ]);
        }
        self.put("</tbody></table></div></details>");
    }

    fn readings(&mut self, server: Option<&Server>) {
        let Some(server) = server else { return };
        self.table("The server in figures", &["at", "cores", "resident", "threads", "open files"]);
        for point in &server.points {
            self.row(&[
                units::span(point.at),
                units::three(point.cores),
                units::bytes(point.usage.rss_bytes),
                units::count(point.usage.threads),
                point.usage.descriptors.map_or_else(|| "–".to_owned(), units::count),
            ]);
        }
        self.put("</tbody></table></div></details>");
    }

    fn table(&mut self, name: &str, columns: &[&str]) {
        let _ = writeln!(
            self.0,
            "<details><summary>{name}</summary>\n<div class=\"sheet\"><table aria-label=\"{name}\"><thead><tr>"
        );
        columns.iter().for_each(|column| self.put(&format!("<th scope=\"col\">{column}</th>")));
        self.put("</tr></thead><tbody>");
    }

    fn row(&mut self, cells: &[String]) {
        let cells: String = cells.iter().map(|cell| format!("<td>{}</td>", escape(cell))).collect();
        self.put(&format!("<tr>{cells}</tr>"));
    }

    fn errors(&mut self, summary: &Summary) {
        let errors = words::errors(summary);
        if errors.is_empty() {
            return;
        }
        self.put("<h2>Errors</h2>\n<div class=\"sheet\"><table aria-label=\"Errors\">");
        self.put("<thead><tr><th scope=\"col\">count</th><th scope=\"col\">share</th><th scope=\"col\" class=\"words\">what came instead, and what was said of the first</th></tr></thead><tbody>");
        for (count, line) in errors {
            let share = escape(&units::percent(count, summary.requests));
            let (count, line) = (units::count(count), escape(&line));
            self.put(&format!("<tr><td>{count}</td><td>{share}</td><td class=\"words\">{line}</td></tr>"));
        }
        self.put("</tbody></table></div>");
    }

    fn asked(&mut self, summary: &Summary) {
        self.put("<h2>What was asked</h2>\n<div class=\"sheet facts\"><table aria-label=\"What was asked\"><tbody>");
        for (name, value) in words::facts(&summary.asked) {
            let (name, value) = (escape(&name), escape(&value));
            self.put(&format!("<tr><th scope=\"row\">{name}</th><td>{value}</td></tr>"));
        }
        self.put("</tbody></table></div>");
    }

    fn foot(&mut self, summary: &Summary) {
        self.put("<footer>");
        let from = if summary.rate_asked().is_some() {
            "Latency counts from when a request was due, not from when it was sent: one that had to wait for those before \
             it is as slow as it was for its caller."
        } else {
            "In a closed loop the server sets the pace: a request is sent once the one before it is answered, so that a \
             stall delays few of them. Use a rate to see what callers would see."
        };
        self.put(&format!(
            "<p>{from} Answers that were not right, and were not late, do not count in the latency.</p>"
        ));
        let version = env!("CARGO_PKG_VERSION");
        self.put(&format!("<p>bouncer {version}</p>\n</footer>\n</main>\n</body>\n</html>"));
    }
}

#[cfg(test)]
#[path = "html_tests.rs"]
mod tests;
