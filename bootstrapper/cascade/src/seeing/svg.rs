//! Drawing a graph: VMs and, between them, what each channel carries, as boxes in layers; arrows from sender to
//! receiver. The places are found by Sugiyama's method (`rust-sugiyama`); a channel's label is a box of its own in it,
//! so that no text lies on another.

use std::fmt::Write;

use rust_sugiyama::configure::Config;

use super::graph::{Edge, Graph, Node, Right};

/// Width of a character of the monospaced text, in pixels.
const CHARACTER: f64 = 7.3;
const LINE: f64 = 17.0;
const PADDING: f64 = 12.0;
const MARGIN: f64 = 28.0;
const SPACING: f64 = 46.0;
const HEADING: f64 = 52.0;
/// Rights that one label lists.
const MAX_RIGHTS: usize = 10;

/// A box in the drawing.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Place {
    /// Its centre.
    x: f64,
    y: f64,
    width: f64,
    height: f64,
}

/// The graph as an SVG file.
pub fn draw(graph: &Graph) -> String {
    let labels: Vec<Vec<Line>> = graph.channels.iter().map(label).collect();
    let mut sizes: Vec<(f64, f64)> = graph.vms.iter().map(node_size).collect();
    sizes.extend(labels.iter().map(|lines| label_size(lines)));
    let first = graph.vms.len();
    let mut edges = Vec::new();
    for (at, channel) in graph.channels.iter().enumerate() {
        edges.push((channel.from, first + at));
        edges.push((first + at, channel.to));
    }
    let places = arrange(&sizes, &edges);
    let width = places.iter().map(|place| place.x + place.width / 2.0).fold(460.0, f64::max) + MARGIN;
    let height = places.iter().map(|place| place.y + place.height / 2.0).fold(80.0, f64::max) + MARGIN + LINE * 2.0;
    let mut svg = header(width, height, &graph.title);
    for (at, channel) in graph.channels.iter().enumerate() {
        let (from, label, to) = (places[channel.from], places[first + at], places[channel.to]);
        arrow(&mut svg, from, label, channel, false);
        arrow(&mut svg, label, to, channel, true);
    }
    for (at, lines) in labels.iter().enumerate() {
        draw_label(&mut svg, places[first + at], lines);
    }
    for (vm, place) in graph.vms.iter().zip(&places) {
        draw_node(&mut svg, *place, vm);
    }
    legend(&mut svg, height);
    svg.push_str("</svg>\n");
    svg
}

/// Boxes of these sizes, in layers along the edges; components side by side.
fn arrange(sizes: &[(f64, f64)], edges: &[(usize, usize)]) -> Vec<Place> {
    let vertices: Vec<(u32, (f64, f64))> = sizes.iter().enumerate().map(|(at, size)| (at as u32, *size)).collect();
    let edges: Vec<(u32, u32)> = edges.iter().map(|(from, to)| (*from as u32, *to as u32)).collect();
    let config = Config { vertex_spacing: SPACING, ..Config::default() };
    let layouts = match vertices.is_empty() {
        true => Vec::new(),
        false => rust_sugiyama::from_vertices_and_edges(&vertices, &edges, &config),
    };
    let mut places: Vec<Place> =
        sizes.iter().map(|(width, height)| Place { x: 0.0, y: 0.0, width: *width, height: *height }).collect();
    let mut left = MARGIN;
    for (component, _, _) in layouts {
        let half = |at: usize| (places[at].width / 2.0, places[at].height / 2.0);
        let west = component.iter().map(|(at, (x, _))| x - half(*at).0).fold(f64::MAX, f64::min);
        let north = component.iter().map(|(at, (_, y))| y - half(*at).1).fold(f64::MAX, f64::min);
        let east = component.iter().map(|(at, (x, _))| x + half(*at).0).fold(f64::MIN, f64::max);
        for (at, (x, y)) in component {
            (places[at].x, places[at].y) = (x - west + left, y - north + HEADING + MARGIN);
        }
        left += east - west + SPACING;
    }
    places
}

/// One line of a label: its text, and whether it is to be read first.
struct Line {
    text: String,
    strong: bool,
}

fn label(channel: &Edge) -> Vec<Line> {
    let mut lines = Vec::new();
    if let Some(packets) = channel.packets {
        let s = if packets == 1 { "" } else { "s" };
        lines.push(Line { text: format!("{} packet{s}", thousands(packets)), strong: packets > 0 });
    }
    if channel.revoked {
        lines.push(Line { text: "revoked".into(), strong: true });
    }
    let right = |right: &Right| match right.used {
        None => Line { text: right.name.clone(), strong: true },
        Some(0) => Line { text: right.name.clone(), strong: false },
        Some(used) => Line { text: format!("{} x{}", right.name, thousands(used)), strong: true },
    };
    lines.extend(channel.rights.iter().take(MAX_RIGHTS).map(right));
    if channel.rights.len() > MAX_RIGHTS {
        lines.push(Line { text: format!("and {} more", channel.rights.len() - MAX_RIGHTS), strong: false });
    }
    lines
}

fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn text_width<'a>(lines: impl Iterator<Item = &'a str>) -> f64 {
    lines.map(|line| line.chars().count()).max().unwrap_or(0) as f64 * CHARACTER
}

fn node_size(vm: &Node) -> (f64, f64) {
    let width = text_width(vm.lines.iter().map(String::as_str)).max((vm.name.len() + vm.kind.len() + 4) as f64 * 9.0);
    (width + 2.0 * PADDING, (vm.lines.len() as f64 + 1.0) * LINE + 2.0 * PADDING)
}

fn label_size(lines: &[Line]) -> (f64, f64) {
    (text_width(lines.iter().map(|line| line.text.as_str())) + 2.0 * PADDING, lines.len() as f64 * LINE + PADDING)
}

fn header(width: f64, height: f64, title: &str) -> String {
    format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0}" height="{height:.0}" viewBox="0 0 {width:.0} {height:.0}" font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace" font-size="12">
<defs><marker id="to" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="9" markerHeight="9" markerUnits="userSpaceOnUse" orient="auto"><path d="M0 0L10 5L0 10z" fill="#56606b"/></marker></defs>
<rect width="100%" height="100%" fill="#fcfbf7"/>
<text x="{MARGIN}" y="38" font-size="17" font-weight="bold" fill="#1d2430">{}</text>
"##,
        escape(title)
    )
}

fn arrow(svg: &mut String, from: Place, to: Place, channel: &Edge, head: bool) {
    // Layers lie below each other; what leads back leaves at the top.
    let down = from.y <= to.y;
    let side = if down { 0.5 } else { -0.5 };
    let (x0, y0) = (from.x, from.y + from.height * side);
    let (x1, y1) = (to.x, to.y - to.height * side);
    let bend = (y1 - y0) / 2.0;
    let stroke = channel.packets.map_or(1.6, |packets| 1.2 + (packets as f64 + 1.0).log10() * 0.9);
    let dash = if channel.packets == Some(0) || channel.revoked { r#" stroke-dasharray="4 4""# } else { "" };
    let marker = if head { r#" marker-end="url(#to)""# } else { "" };
    let _ = writeln!(
        svg,
        r##"<path d="M{x0:.1} {y0:.1}C{x0:.1} {:.1} {x1:.1} {:.1} {x1:.1} {y1:.1}" fill="none" stroke="#56606b" stroke-width="{stroke:.1}"{dash}{marker}/>"##,
        y0 + bend,
        y1 - bend
    );
}

fn draw_label(svg: &mut String, place: Place, lines: &[Line]) {
    let Place { x, y, width, height } = place;
    let (left, top) = (x - width / 2.0, y - height / 2.0);
    let _ = writeln!(
        svg,
        r##"<rect x="{left:.1}" y="{top:.1}" width="{width:.1}" height="{height:.1}" rx="4" fill="#ffffff" stroke="#d5d2c6"/>"##
    );
    for (at, line) in lines.iter().enumerate() {
        let color = if line.strong { "#1d2430" } else { "#8b8f96" };
        let baseline = top + PADDING / 2.0 + LINE * (at as f64 + 0.75);
        let _ = writeln!(
            svg,
            r#"<text x="{x:.1}" y="{baseline:.1}" text-anchor="middle" fill="{color}">{}</text>"#,
            escape(&line.text)
        );
    }
}

/// Fill and outline of a VM's box.
fn colors(vm: &Node) -> (&'static str, &'static str) {
    match vm.kind {
        _ if vm.failed => ("#fde3e3", "#c02739"),
        "IL" => ("#e2ecff", "#2f62c9"),
        "Rust" => ("#e1f3e5", "#2c7d43"),
        _ => ("#eeebe0", "#7c7560"),
    }
}

fn draw_node(svg: &mut String, place: Place, vm: &Node) {
    let Place { x, y, width, height } = place;
    let (left, top) = (x - width / 2.0, y - height / 2.0);
    let (fill, stroke) = colors(vm);
    let _ = writeln!(
        svg,
        r#"<rect x="{left:.1}" y="{top:.1}" width="{width:.1}" height="{height:.1}" rx="9" fill="{fill}" stroke="{stroke}" stroke-width="1.6"/>"#
    );
    let _ = writeln!(
        svg,
        r##"<text x="{x:.1}" y="{:.1}" text-anchor="middle" font-size="14" fill="#1d2430"><tspan font-weight="bold">{}</tspan> <tspan fill="{stroke}">{}</tspan></text>"##,
        top + PADDING + LINE * 0.75,
        escape(&vm.name),
        vm.kind
    );
    for (at, line) in vm.lines.iter().enumerate() {
        let baseline = top + PADDING + LINE * (at as f64 + 1.75);
        let _ = writeln!(
            svg,
            r##"<text x="{x:.1}" y="{baseline:.1}" text-anchor="middle" fill="#3d4652">{}</text>"##,
            escape(line)
        );
    }
}

fn legend(svg: &mut String, height: f64) {
    let text = "arrows lead from who sends to who executes; a box on one lists the rights";
    let _ = writeln!(
        svg,
        r##"<text x="{MARGIN}" y="{:.1}" font-size="11" fill="#6b7077">{text}</text>"##,
        height - MARGIN / 2.0
    );
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whatever the graph (cycles, a VM that calls itself, islands): each box has its place, and no two overlap.
    #[test]
    fn boxes_do_not_overlap() {
        let cases: [&[(usize, usize)]; 6] = [
            &[],
            &[(0, 1)],
            &[(0, 1), (1, 0)],
            &[(0, 0), (0, 2), (1, 2)],
            &[(0, 1), (1, 2), (2, 0), (0, 2)],
            &[(0, 1), (0, 2), (0, 3), (0, 4), (4, 3), (5, 4)],
        ];
        for ends in cases {
            let vms = ["app", "display", "disk", "keyboard", "console", "island"].map(|name| Node {
                name: name.into(),
                kind: "IL",
                lines: vec![format!("demo.{name}@1")],
                failed: false,
            });
            let channel = |(from, to): &(usize, usize)| Edge {
                from: *from,
                to: *to,
                rights: vec![Right { name: "read".into(), used: Some(1234) }; 1 + from + to],
                packets: Some(7),
                revoked: false,
            };
            let graph =
                Graph { title: "a < b".into(), vms: vms.to_vec(), channels: ends.iter().map(channel).collect() };
            let svg = draw(&graph);
            assert!(svg.contains("a &lt; b") && svg.ends_with("</svg>\n") && svg.contains("demo.disk@1"));
            let sizes: Vec<(f64, f64)> = graph.vms.iter().map(node_size).collect();
            let mut sizes = sizes;
            sizes.extend(graph.channels.iter().map(|channel| label_size(&label(channel))));
            let edges: Vec<(usize, usize)> =
                ends.iter().enumerate().flat_map(|(at, (from, to))| [(*from, 6 + at), (6 + at, *to)]).collect();
            let places = arrange(&sizes, &edges);
            for (at, a) in places.iter().enumerate() {
                for b in &places[at + 1..] {
                    let apart_x = (a.x - b.x).abs() >= (a.width + b.width) / 2.0 - 0.01;
                    let apart_y = (a.y - b.y).abs() >= (a.height + b.height) / 2.0 - 0.01;
                    assert!(apart_x || apart_y, "{ends:?}: {a:?} {b:?}");
                }
            }
        }
    }

    #[test]
    fn numbers_are_grouped() {
        assert_eq!([1, 1000, 1234567].map(thousands), ["1", "1,000", "1,234,567"]);
    }
}
