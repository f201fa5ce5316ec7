//! Cells, overlaps and truncation, by tables.

use super::*;

const VIEW: View = View {
    image: Size { x: 100, y: 80 },
    border: Size { x: 50, y: 40 },
    canvas: Size { x: 200, y: 160 },
    net: Size { x: 224, y: 160 },
    first_cell: Size { x: 0, y: 0 },
};

struct Cells {
    heat: Vec<f32>,
    scale: Vec<f32>,
    offset: Vec<f32>,
    landmarks: Vec<f32>,
    columns: usize,
}

impl Cells {
    fn new(rows: usize, columns: usize) -> Self {
        let n = rows * columns;
        Self {
            heat: vec![0.0; n],
            scale: vec![0.0; 2 * n],
            offset: vec![0.0; 2 * n],
            landmarks: vec![0.0; 10 * n],
            columns,
        }
    }

    fn face(mut self, row: usize, column: usize, heat: f32, height: f32, width: f32) -> Self {
        let cell = row * self.columns + column;
        self.heat[cell] = heat;
        self.scale[2 * cell] = (height / 4.0).ln();
        self.scale[2 * cell + 1] = (width / 4.0).ln();
        for j in 0..5 {
            self.landmarks[10 * cell + 2 * j] = 0.25;
            self.landmarks[10 * cell + 2 * j + 1] = 0.5;
        }
        self
    }

    fn maps(&self) -> Maps<'_> {
        let rows = self.heat.len() / self.columns;
        Maps {
            rows,
            columns: self.columns,
            heat: &self.heat,
            scale: &self.scale,
            offset: &self.offset,
            landmarks: &self.landmarks,
        }
    }
}

fn square(view: View) -> View {
    View { canvas: view.net, ..view }
}

#[test]
fn a_cell_at_the_threshold_is_no_face_and_one_above_is() {
    let cells = Cells::new(40, 56).face(10, 10, THRESHOLD, 16.0, 16.0);
    assert!(read(&cells.maps(), &VIEW, THRESHOLD).is_empty());
    let cells = Cells::new(40, 56).face(10, 10, THRESHOLD.next_up(), 16.0, 16.0);
    assert_eq!(read(&cells.maps(), &VIEW, THRESHOLD).len(), 1);
}

#[test]
fn a_box_over_the_edge_is_shifted_not_cut() {
    let cells = Cells::new(40, 56).face(0, 0, 0.9, 40.0, 20.0);
    let raw = read(&cells.maps(), &square(VIEW), THRESHOLD)[0];
    assert!((raw.corners[2] - 20.0).abs() < 1e-4 && (raw.corners[3] - 40.0).abs() < 1e-4, "{raw:?}");
    assert_eq!(&raw.corners[..2], &[0.0, 0.0]);
    // Landmarks are parts of the unclipped size from the clamped corner.
    assert!((raw.landmarks[0][0] - 10.0).abs() < 1e-4 && (raw.landmarks[0][1] - 10.0).abs() < 1e-4, "{raw:?}");
}

#[test]
fn a_window_of_cells_lands_where_the_whole_canvas_would() {
    let whole = Cells::new(40, 56).face(20, 30, 0.9, 24.0, 20.0);
    let part = Cells::new(16, 16).face(4, 6, 0.9, 24.0, 20.0);
    let view = View { first_cell: Size { x: 24, y: 16 }, ..VIEW };
    assert_eq!(read(&part.maps(), &view, THRESHOLD), read(&whole.maps(), &VIEW, THRESHOLD));
}

#[test]
fn the_better_of_two_overlapping_boxes_stays_and_order_is_by_score() {
    let cells = Cells::new(40, 56)
        .face(10, 10, 0.5, 40.0, 40.0)
        .face(10, 12, 0.8, 40.0, 40.0)
        .face(30, 40, 0.9, 40.0, 40.0)
        .face(10, 22, 0.4, 40.0, 40.0);
    let scores: Vec<f32> = read(&cells.maps(), &VIEW, THRESHOLD).iter().map(|raw| raw.score).collect();
    assert_eq!(scores, [0.9, 0.8, 0.4]);
}

#[test]
fn boxes_are_truncated_in_the_canvas_and_reported_one_pixel_short_of_the_edge() {
    // (corners in the canvas, unclipped in the photograph, reported)
    type Row = ([f32; 4], [i64; 4], Option<[i64; 4]>);
    let table: [Row; 8] = [
        ([60.9, 50.9, 80.2, 90.1], [10, 10, 19, 39], Some([10, 10, 19, 39])),
        ([40.5, 30.5, 80.0, 90.0], [-10, -10, 39, 59], Some([0, 0, 39, 59])),
        ([140.0, 100.0, 190.0, 150.0], [90, 60, 50, 50], Some([90, 60, 9, 19])),
        // Truncated toward zero in the canvas: 49.5 is column 49, one left of the photograph.
        ([49.5, 40.0, 70.0, 60.0], [-1, 0, 20, 20], Some([0, 0, 20, 20])),
        ([0.0, 0.0, 30.0, 30.0], [-50, -40, 30, 30], None),
        ([160.0, 50.0, 190.0, 90.0], [110, 10, 30, 40], None),
        ([60.0, 125.0, 90.0, 150.0], [10, 85, 30, 25], None),
        ([60.0, 60.0, 60.5, 90.0], [10, 20, 0, 30], None),
    ];
    for (corners, unclipped, reported) in table {
        let raw = Raw { corners, score: 0.9, landmarks: [[49.9, 40.2]; 5] };
        let list = |area: Area| [area.x, area.y, area.w, area.h];
        match (raw.placed(&VIEW), reported) {
            (Placed::Inside(face), Some(expected)) => {
                assert_eq!((list(face.area), list(face.unclipped)), (expected, unclipped), "{corners:?}");
                assert_eq!(face.left_eye(), [-1, 0]);
                assert_eq!(inside(face.left_eye(), VIEW.image), None);
            }
            (Placed::Outside(outside), None) => assert_eq!(outside, raw),
            (found, expected) => panic!("{corners:?}: expected {expected:?}, found {found:?}"),
        }
    }
}
