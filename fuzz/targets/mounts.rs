//! The kernel's mount table, whose rows carry names and options that others chose: any text is an answer, only a whole
//! row of that number makes a layer, and no other row changes the answer.
#![no_main]

use ballast_cli::fuzzing::unwritable;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: (u64, &str)| {
    let (id, table) = data;
    let layer = unwritable(table, id);
    let first =
        |row: &&str| row.trim_end_matches('\n').split(' ').next().and_then(|word| word.parse().ok()) == Some(id);
    let own = table.split_inclusive('\n').find(first);
    assert_eq!(layer, own.is_some_and(|row| unwritable(row, id)), "another row decided");
    if let Some(row) = own.filter(|_| layer) {
        let options = row.trim_end_matches('\n').rsplit(' ').next().unwrap_or_default();
        let writable = options.split(',').any(|option| option.starts_with("upperdir="));
        assert!(!row.contains(" - overlay ") || !writable, "it has a writable side");
        let cut = row.char_indices().map(|(at, _)| &row[..at]).find(|cut| unwritable(cut, id));
        assert_eq!(cut, None, "a row that was cut is a layer");
    }
    let other = format!("{} 1 0:1 / / ro - erofs a ro\n{table}", id.wrapping_add(1));
    assert_eq!(unwritable(&other, id), layer, "a row before it decided");
});
