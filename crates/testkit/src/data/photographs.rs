//! The photographs that the tests use, by name.

use super::draw::{Face, Scene, Screen};

/// A person, alone, in a photograph of 480 x 640.
fn portrait(person: u64, take: u64) -> Scene {
    let face = Face { person, middle: [237, 291], width: 141 };
    Scene { size: [480, 640], faces: vec![face], screen: None, take }
}

/// A portrait with this screen around the face.
fn before(screen: Screen, person: u64, take: u64) -> Scene {
    Scene { screen: Some(screen), ..portrait(person, take) }
}

/// Every photograph: its file name, and what it shows.
pub fn all() -> Vec<(String, Scene)> {
    let named = named().into_iter().map(|(name, scene)| (name.to_owned(), scene));
    named.chain((1..=16).map(|person| (format!("crowd_{person:02}.jpg"), crowd(person)))).collect()
}

/// One of many persons, alone in a small photograph.
fn crowd(person: u64) -> Scene {
    let middle = [117 + (person % 5) as i32, 151 - (person % 7) as i32];
    Scene {
        size: [240, 320],
        faces: vec![Face { person: 100 + person, middle, width: 101 }],
        screen: None,
        take: 100 + person,
    }
}

/// Three persons, the middle one the largest.
fn three() -> Scene {
    let faces = [(6, 163, 97), (7, 517, 139), (8, 861, 109)];
    let faces = faces.map(|(person, across, width)| Face { person, middle: [across, 247], width });
    Scene { size: [1020, 500], faces: faces.to_vec(), screen: None, take: 14 }
}

fn named() -> Vec<(&'static str, Scene)> {
    let everywhere = |share| Screen { inner: 0.0, outer: 9.0, share };
    let other = |person, middle, width| Face { person, middle, width };
    vec![
        // Persons 1 and 2, live; person 1 twice.
        ("anna.jpg", portrait(1, 1)),
        ("anna_again.jpg", Scene { faces: vec![other(1, [213, 305], 133)], ..portrait(1, 2) }),
        ("bert.jpg", portrait(2, 3)),
        ("carl.jpg", Scene { size: [400, 400], faces: vec![other(3, [195, 205], 121)], ..portrait(3, 4) }),
        // Person 1 on a screen.
        ("anna_fake.jpg", before(everywhere(60), 1, 5)),
        ("bert_fake.jpg", before(everywhere(60), 2, 6)),
        // Too little green to be seen.
        ("unsure.jpg", before(everywhere(36), 4, 7)),
        // Green outside the 2.7 crop and inside the 4.0 crop: the networks disagree.
        (
            "disagree.jpg",
            Scene {
                size: [640, 800],
                faces: vec![other(5, [317, 391], 141)],
                ..before(Screen { inner: 1.75, outer: 9.0, share: 100 }, 5, 8)
            },
        ),
        // Two persons, far enough apart.
        (
            "two.jpg",
            Scene {
                size: [800, 600],
                faces: vec![other(1, [201, 283], 129), other(2, [597, 305], 137)],
                ..portrait(1, 9)
            },
        ),
        ("three.jpg", three()),
        // The frame shows too little around the face.
        ("close.jpg", Scene { size: [190, 220], faces: vec![other(1, [93, 107], 141)], ..portrait(1, 10) }),
        ("small.jpg", Scene { faces: vec![other(1, [237, 291], 45)], ..portrait(1, 11) }),
        ("empty.jpg", Scene { faces: Vec::new(), ..portrait(0, 12) }),
        // Over 1.3 megapixels: reduced unless `exact`.
        ("large.jpg", Scene { size: [1200, 1600], faces: vec![other(1, [613, 755], 145)], ..portrait(1, 13) }),
    ]
}
