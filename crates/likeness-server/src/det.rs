//! Draws a DET curve (detection error trade-off): FNMR over FMR, both axes logarithmic, as SVG and as text. Touches
//! nothing.

use likeness::calibration::Point;

use crate::handler::response::brief;

/// The size of the text's plot, in characters.
const COLUMNS: usize = 60;
const ROWS: usize = 16;
/// The largest number of points that are drawn.
const MOST: usize = 400;

/// A curve to draw.
pub struct Det {
    points: Vec<Point>,
    chosen: Option<Point>,
    /// The number of decades below 1 on the axes of FMR and FNMR.
    decades: [u32; 2],
}

impl Det {
    /// Prepares the curve of so many impostor and genuine comparisons; `chosen` is marked.
    pub fn new(curve: &[Point], [impostor, genuine]: [usize; 2], chosen: Option<Point>) -> Self {
        let decades = [impostor, genuine].map(|count| (count as f64).log10().ceil().clamp(1.0, 7.0) as u32);
        let mut det = Self { points: Vec::new(), chosen, decades };
        let cell = |at: f64| (at * MOST as f64) as usize;
        for point in curve {
            let place = |point: &Point| det.place(point.fmr, point.fnmr).map(cell);
            if det.points.last().is_none_or(|last| place(last) != place(point)) {
                det.points.push(*point);
            }
        }
        det
    }

    /// Returns the points to draw: threshold, FMR, FNMR.
    pub fn points(&self) -> Vec<[f64; 3]> {
        self.points.iter().map(|point| [point.distance, point.fmr, point.fnmr]).collect()
    }

    /// Returns where rates lie on the axes, from 0 to 1.
    fn place(&self, fmr: f64, fnmr: f64) -> [f64; 2] {
        let on = |rate: f64, decades: u32| (1.0 + rate.log10() / f64::from(decades)).clamp(0.0, 1.0);
        [on(fmr, self.decades[0]), on(fnmr, self.decades[1])]
    }

    /// Returns the places of a line along the curve.
    fn line(&self) -> Vec<[f64; 2]> {
        self.points.iter().map(|point| self.place(point.fmr, point.fnmr)).collect()
    }

    /// Returns the labels of an axis, each with its place.
    fn labels(decades: u32) -> impl Iterator<Item = (f64, String)> {
        (0..=decades).map(move |at| {
            let exponent = at.cast_signed() - decades.cast_signed();
            (f64::from(at) / f64::from(decades), brief(10_f64.powi(exponent)))
        })
    }

    /// Draws the curve in characters.
    pub fn text(&self) -> String {
        let mut cells = [[' '; COLUMNS]; ROWS];
        let cell = |[x, y]: [f64; 2]| {
            let (last_column, last_row) = ((COLUMNS - 1) as f64, (ROWS - 1) as f64);
            ((x * last_column).round() as usize, ROWS - 1 - (y * last_row).round() as usize)
        };
        for two in self.line().windows(2) {
            for step in 0..=COLUMNS {
                let part = step as f64 / COLUMNS as f64;
                let (x, y) = cell([0, 1].map(|axis| two[0][axis] + part * (two[1][axis] - two[0][axis])));
                cells[y][x] = '*';
            }
        }
        if let Some(Point { fmr, fnmr, .. }) = self.chosen {
            let (x, y) = cell(self.place(fmr, fnmr));
            cells[y][x] = 'o';
        }
        let mut margins = vec![String::new(); ROWS];
        for (at, label) in Self::labels(self.decades[1]) {
            margins[cell([0.0, at]).1] = label;
        }
        let mut text = "      FNMR\n".to_owned();
        for (margin, row) in margins.iter().zip(cells) {
            text += &format!("{margin:>9} |{}\n", row.iter().collect::<String>().trim_end());
        }
        text += &format!("{:>9} +{}\n{:11}", "", "-".repeat(COLUMNS), "");
        let mut written = 0;
        for (at, label) in Self::labels(self.decades[0]) {
            let start = ((at * (COLUMNS - 1) as f64) as usize).saturating_sub(label.len() / 2);
            if start >= written {
                text += &format!("{}{label} ", " ".repeat(start - written));
                written = start + label.len() + 1;
            }
        }
        text + "FMR\n"
    }

    /// Draws the curve as SVG.
    pub fn svg(&self, title: &str) -> String {
        const SIDE: f64 = 480.0;
        const LEFT: f64 = 80.0;
        const TOP: f64 = 50.0;
        let at = |[x, y]: [f64; 2]| (LEFT + x * SIDE, TOP + (1.0 - y) * SIDE);
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 600 600\" font-family=\"sans-serif\" font-size=\"13\">\n\
             <title>{title}</title>\n<rect width=\"600\" height=\"600\" fill=\"#fff\"/>\n\
             <text x=\"{LEFT}\" y=\"28\" font-size=\"15\">{title}</text>\n"
        );
        let mut rule = |from: (f64, f64), to: (f64, f64)| {
            let ((x1, y1), (x2, y2)) = (from, to);
            svg += &format!("<path d=\"M{x1:.1} {y1:.1}L{x2:.1} {y2:.1}\" stroke=\"#ccc\"/>\n");
        };
        for (place, _) in Self::labels(self.decades[0]) {
            rule(at([place, 0.0]), at([place, 1.0]));
        }
        for (place, _) in Self::labels(self.decades[1]) {
            rule(at([0.0, place]), at([1.0, place]));
        }
        for (place, label) in Self::labels(self.decades[0]) {
            let (x, y) = at([place, 0.0]);
            svg += &format!("<text x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{label}</text>\n", y + 20.0);
        }
        for (place, label) in Self::labels(self.decades[1]) {
            let (x, y) = at([0.0, place]);
            svg += &format!("<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{label}</text>\n", x - 8.0, y + 4.0);
        }
        let line: Vec<_> = self.line().into_iter().map(at).map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        let line = line.join(" ");
        svg += &format!("<polyline points=\"{line}\" fill=\"none\" stroke=\"#06c\" stroke-width=\"2\"/>\n");
        if let Some(Point { distance, fmr, fnmr }) = self.chosen {
            let (x, y) = at(self.place(fmr, fnmr));
            svg += &format!(
                "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"5\" fill=\"#c30\"><title>{distance}</title></circle>\n"
            );
        }
        svg + "<text x=\"320\" y=\"580\" text-anchor=\"middle\">false match rate (FMR)</text>\n\
               <text transform=\"translate(18 290) rotate(-90)\" text-anchor=\"middle\">false non-match rate (FNMR)</text>\n\
               </svg>\n"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn curve() -> Vec<Point> {
        let point = |step: i32| {
            let distance = f64::from(step) / 1000.0;
            Point { distance, fmr: distance.powi(3), fnmr: (1.0 - distance).powi(3) }
        };
        (0..=1000).map(point).collect()
    }

    #[test]
    fn a_curve_is_drawn_from_corner_to_corner_within_its_size() {
        let curve = curve();
        let det = Det::new(&curve, [10_000, 1000], Some(curve[300]));
        assert!(det.points().len() < 810 && det.points()[0] == [0.0, 0.0, 1.0]);
        let text = det.text();
        let rows: Vec<&str> = text.lines().collect();
        assert_eq!(rows.len(), ROWS + 3);
        assert!(rows[1].starts_with("        1 |*") && rows[ROWS].starts_with("    0.001 |"), "{text}");
        assert!(rows[ROWS].ends_with('*') && text.matches('o').count() == 1, "{text}");
        assert!(rows[ROWS + 2].contains("0.0001") && rows[ROWS + 2].ends_with("1 FMR"), "{text}");
        assert!(rows.iter().all(|row| row.chars().count() <= COLUMNS + 16), "{text}");
    }

    #[test]
    fn the_picture_is_xml_whose_line_and_mark_stay_inside() {
        let curve = curve();
        let svg = Det::new(&curve, [10_000, 1000], Some(curve[300])).svg("12 persons");
        let points = svg.split("points=\"").nth(1).unwrap().split('"').next().unwrap();
        let inside = |point: &str| {
            let (x, y) = point.split_once(',').unwrap();
            [x, y].iter().all(|at| (0.0..=600.0).contains(&at.parse::<f64>().unwrap()))
        };
        assert!(points.split(' ').all(inside) && points.starts_with("80.0,50.0") && points.ends_with("560.0,530.0"));
        assert_eq!((svg.matches("<circle").count(), svg.matches("</text>").count()), (1, 1 + 5 + 4 + 2));
        let empty = Det::new(&[], [0, 0], None);
        assert!(empty.svg("none").contains("points=\"\"") && empty.points().is_empty());
        assert!(!empty.text().contains('*'));
    }
}
