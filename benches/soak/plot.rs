//! Memory over time as a small SVG.

use std::fmt::Write as _;

use crate::Sample;

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 240.0;
const MARGIN: f64 = 48.0;
/// Points of the line: more cannot be told apart.
const POINTS: usize = 360;

/// Draws resident memory, from nothing up.
#[must_use]
pub(crate) fn memory(samples: &[Sample]) -> String {
    let span = samples.last().map_or(1.0, |last| last.at).max(1.0);
    let most = samples.iter().map(|sample| sample.resident_kib / 1024.0).fold(1.0, f64::max) * 1.1;
    let (width, height) = (WIDTH - 2.0 * MARGIN, HEIGHT - 2.0 * MARGIN);
    let mut line = String::new();
    for sample in samples.iter().step_by(samples.len().div_ceil(POINTS).max(1)) {
        let (x, y) = (sample.at / span * width, height - sample.resident_kib / 1024.0 / most * height);
        let _ = write!(line, "{:.1},{:.1} ", MARGIN + x, MARGIN + y);
    }
    let (bottom, right, minutes) = (MARGIN + height, MARGIN + width, span / 60.0);
    format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="12">
<rect width="100%" height="100%" fill="#fff"/>
<text x="{MARGIN}" y="24">Resident memory, MiB</text>
<path d="M{MARGIN} {MARGIN}V{bottom}H{right}" fill="none" stroke="#888"/>
<text x="40" y="{}" text-anchor="end">{most:.0}</text>
<text x="40" y="{bottom}" text-anchor="end">0</text>
<text x="{MARGIN}" y="{}">0</text>
<text x="{right}" y="{}" text-anchor="end">{minutes:.0} min</text>
<polyline points="{}" fill="none" stroke="#06c" stroke-width="1.5"/>
</svg>
"##,
        MARGIN + 6.0,
        bottom + 18.0,
        bottom + 18.0,
        line.trim_end(),
    )
}
