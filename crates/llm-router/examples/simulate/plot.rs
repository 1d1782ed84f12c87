//! A scenario as a picture: real answers and upstream calls a second, under every policy.

use crate::policy::Policy;
use crate::scenario::Scenario;
use std::fmt::Write as _;
use std::time::Duration;

/// What a policy's run looked like, second by second.
#[derive(Debug)]
pub(crate) struct Curve {
    pub(crate) policy: Policy,
    pub(crate) answers: Vec<f64>,
    pub(crate) calls: Vec<f64>,
}

/// What a panel shows of a curve.
type Values = fn(&Curve) -> &[f64];

const WIDTH: f64 = 760.0;
const LEFT: f64 = 56.0;
const RIGHT: f64 = 744.0;
const PANEL: f64 = 170.0;
const TOPS: [f64; 2] = [64.0, 278.0];
/// Seconds that share one point.
const STEP: usize = 2;

/// Readable on white and on black; every line has its own dashes as well as its own colour.
const STYLE: &str = "text{font:12px system-ui,sans-serif;fill:#333}.t{font-weight:600;font-size:14px}\
.g{stroke:#8884;stroke-width:1}.f{fill:#d9480f;opacity:.12}path{fill:none;stroke-width:1.6}\
.p0{stroke:#868e96;stroke-dasharray:2 3}.p1{stroke:#e8590c;stroke-dasharray:6 3}\
.p2{stroke:#9c36b5;stroke-dasharray:9 3 2 3}.p3{stroke:#1971c2;stroke-width:2.2}\
@media(prefers-color-scheme:dark){text{fill:#ddd}.p0{stroke:#adb5bd}.p1{stroke:#ff922b}\
.p2{stroke:#da77f2}.p3{stroke:#4dabf7}.f{fill:#ff922b;opacity:.18}}";

/// The picture of one scenario, as SVG.
pub(crate) fn svg(scenario: &Scenario, curves: &[Curve]) -> String {
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} 490\" role=\"img\" \
         aria-label=\"{name}\">\n<title>{name}</title>\n<desc>{about}</desc>\n<style>{STYLE}</style>\n\
         <text class=\"t\" x=\"{LEFT}\" y=\"18\">{name}</text>\n",
        name = scenario.name,
        about = scenario.about,
    );
    let mut x = LEFT;
    for (index, curve) in curves.iter().enumerate() {
        let name = curve.policy.name();
        let _ = writeln!(
            svg,
            "<path class=\"p{index}\" d=\"M{x} 36h26\"/><text x=\"{}\" y=\"40\">{name}</text>",
            x + 32.0
        );
        x += 62.0 + 6.6 * name.len() as f64;
    }
    let panels: [(&str, Values); 2] = [
        ("real answers a second", |curve| &curve.answers),
        ("upstream calls a second", |curve| &curve.calls),
    ];
    for (top, (label, values)) in TOPS.into_iter().zip(panels) {
        panel(&mut svg, scenario, curves, top, label, values);
    }
    let middle = f64::midpoint(LEFT, RIGHT);
    let _ = writeln!(
        svg,
        "<text x=\"{middle}\" y=\"484\" text-anchor=\"middle\">virtual time, seconds (shaded: the trouble)</text>\n</svg>"
    );
    svg
}

fn panel(
    svg: &mut String,
    scenario: &Scenario,
    curves: &[Curve],
    top: f64,
    label: &str,
    values: Values,
) {
    let bottom = top + PANEL;
    let highest = curves
        .iter()
        .flat_map(|curve| points(values(curve)))
        .fold(1.0, f64::max);
    let tick = nice(highest / 4.0);
    let ceiling = (highest / tick).ceil() * tick;
    let x_of =
        |time: Duration| LEFT + (RIGHT - LEFT) * time.as_secs_f64() / scenario.length.as_secs_f64();
    let y_of = |value: f64| bottom - PANEL * value / ceiling;
    let (from, to) = (x_of(scenario.from), x_of(scenario.to));
    let _ = writeln!(
        svg,
        "<rect class=\"f\" x=\"{from:.1}\" y=\"{top}\" width=\"{:.1}\" height=\"{PANEL}\"/>\n\
         <text x=\"{LEFT}\" y=\"{}\">{label}</text>",
        to - from,
        top - 6.0
    );
    let mut value = 0.0;
    while value <= ceiling + tick / 2.0 {
        let y = y_of(value);
        let _ = writeln!(
            svg,
            "<path class=\"g\" d=\"M{LEFT} {y:.1}H{RIGHT}\"/>\
             <text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{value}</text>",
            LEFT - 6.0,
            y + 4.0
        );
        value += tick;
    }
    for second in (0..=scenario.length.as_secs()).step_by(60) {
        let x = x_of(Duration::from_secs(second));
        let _ = writeln!(
            svg,
            "<path class=\"g\" d=\"M{x:.1} {bottom}v5\"/>\
             <text x=\"{x:.1}\" y=\"{}\" text-anchor=\"middle\">{second}</text>",
            bottom + 18.0
        );
    }
    for (index, curve) in curves.iter().enumerate() {
        let mut line = String::new();
        let mut time = Duration::from_secs(STEP as u64) / 2;
        for value in points(values(curve)) {
            let letter = if line.is_empty() { 'M' } else { 'L' };
            let _ = write!(line, "{letter}{:.1} {:.1}", x_of(time), y_of(value));
            time += Duration::from_secs(STEP as u64);
        }
        let _ = writeln!(svg, "<path class=\"p{index}\" d=\"{line}\"/>");
    }
}

/// Means over [`STEP`] seconds.
fn points(values: &[f64]) -> impl Iterator<Item = f64> + '_ {
    values
        .chunks_exact(STEP)
        .map(|chunk| chunk.iter().sum::<f64>() / STEP as f64)
}

/// The next of 1, 2, 5, 10, 20, ... above.
fn nice(value: f64) -> f64 {
    let magnitude = 10f64.powf(value.max(1.0).log10().floor());
    [1.0, 2.0, 5.0, 10.0]
        .into_iter()
        .map(|factor| factor * magnitude)
        .find(|tick| *tick >= value)
        .unwrap_or(10.0 * magnitude)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_not_below_what_they_must_reach() {
        let ticks = [0.3, 1.0, 3.0, 12.0, 50.0, 51.0, 240.0].map(nice);
        assert_eq!(ticks, [1.0, 1.0, 5.0, 20.0, 50.0, 100.0, 500.0]);
    }
}
