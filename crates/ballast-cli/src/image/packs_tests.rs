//! Tests of the packs: how many layers, which of them change, and a list of others.

use super::*;

fn named(small: usize, large: usize) -> Vec<(String, u64)> {
    let small = (0..small).map(|at| (format!("small/{at}.json"), 10));
    small.chain((0..large).map(|at| (format!("large-{at}.bin"), LARGE + at as u64))).collect()
}

fn planned(weights: &[(String, u64)]) -> Vec<(String, Vec<String>)> {
    let given: Vec<_> = weights.iter().map(|(path, size)| (path.as_str(), *size)).collect();
    let paths = |each: Vec<usize>| each.into_iter().map(|at| weights[at].0.clone()).collect();
    layers(&given).into_iter().map(|(title, each)| (title, paths(each))).collect()
}

#[test]
fn an_image_has_at_most_so_many_layers_and_each_weight_in_one_of_them() {
    let mut wrong = Vec::new();
    // Small files, large files; layers at most, layers of one large file.
    let rows = [
        (0, 0, 0, 0),
        (4, 0, 4, 0),
        (32, 0, 32, 0),
        (33, 0, 32, 0),
        (10_000, 0, 32, 0),
        (30, 2, 32, 2),
        (40, 3, 32, 3),
        (40, 20, 32, 20),
        (1, 40, 32, 31),
        (0, 33, 32, 31),
        (5_000, 200, 32, 31),
    ];
    for (small, large, most, alone) in rows {
        let weights = named(small, large);
        let layers = planned(&weights);
        let mut all: Vec<_> = layers.iter().flat_map(|(_, paths)| paths.clone()).collect();
        all.sort();
        let mut expected: Vec<_> = weights.iter().map(|(path, _)| path.clone()).collect();
        expected.sort();
        let single = layers.iter().filter(|(title, paths)| *title == paths[0] && title.starts_with("large")).count();
        if layers.len() > most || all != expected || single != alone {
            wrong.push(format!("{small} small, {large} large: {} layers, {single} alone", layers.len()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn few_weights_have_a_layer_each_in_their_order() {
    let weights = named(31, 1);
    let expected: Vec<_> = weights.iter().map(|(path, _)| (path.clone(), vec![path.clone()])).collect();
    assert_eq!(planned(&weights), expected);
}

#[test]
fn a_file_that_is_added_removed_or_of_another_size_changes_one_layer() {
    let mut weights = named(500, 3);
    let before = planned(&weights);
    let changed = |after: &[(String, Vec<String>)]| after.iter().filter(|layer| !before.contains(layer)).count();
    weights[7].1 = 999;
    assert_eq!(changed(&planned(&weights)), 0, "sizes below the bound decide nothing");
    weights.remove(7);
    assert_eq!(changed(&planned(&weights)), 1, "one removed");
    weights.insert(0, ("new.json".into(), 5));
    weights.insert(0, named(8, 0)[7].clone());
    let mut after = planned(&weights);
    for (_, paths) in &mut after {
        paths.sort_by_key(|path| before.iter().flat_map(|(_, paths)| paths).position(|old| old == path));
    }
    assert_eq!(changed(&after), 1, "one added");
}

#[test]
fn half_as_many_packs_join_pairs_and_move_nothing_else() {
    let small = named(300, 0);
    let packs = |weights: &[(String, u64)]| {
        let all = planned(weights);
        all.into_iter().filter(|(title, _)| title.starts_with(".ballast/")).collect::<Vec<_>>()
    };
    let (many, few) = (packs(&small), packs(&[small.clone(), named(0, 5)].concat()));
    assert_eq!((many.len(), few.len()), (32, 16));
    let torn: Vec<_> = many
        .iter()
        .filter(|(_, paths)| !few.iter().any(|(_, into)| paths.iter().all(|path| into.contains(path))))
        .collect();
    assert!(torn.is_empty(), "{torn:?}");
}

#[test]
fn a_list_is_read_as_it_was_written_and_another_one_is_refused_with_its_line() {
    let mut packs = Packs::default();
    for (path, at) in [("a/b.bin", 512), ("with\ttab", 2048), ("ü.json", u64::MAX)] {
        packs.add(path, Packed { layer: ".ballast/pack-00".into(), at, size: 7 });
    }
    assert_eq!(Packs::parse(&packs.to_text()), Ok(packs));
    let rows = [
        ("p\t1\t2", "line 1"),
        ("p\t1\t2\ta\np\tx\t2\tb", "line 2"),
        ("p\t1\t-2\ta", "line 1"),
        ("p\t99999999999999999999\t2\ta", "line 1"),
        ("\n", "line 1"),
        ("p\t1\t2\ta\nq\t1\t2\ta", "twice"),
    ];
    let said = |text: &str| Packs::parse(text).err().unwrap_or_default();
    let wrong: Vec<_> = rows.iter().filter(|(text, part)| !said(text).contains(part)).collect();
    assert!(wrong.is_empty(), "{wrong:?}");
    let long: String = (0..=LISTED).map(|at| format!("p\t1\t2\t{at}\n")).collect();
    assert!(said(&long).contains("at most"), "{}", said(&long));
}
