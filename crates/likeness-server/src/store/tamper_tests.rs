//! An attacker can write the database. The tests change one column of one row at a time, in every table; they also
//! remove, add and exchange rows, and restore rows of an earlier state. Each change is refused when the store is opened, or found by its check.
//!
//! The columns come from the database's schema, so that a new column is tested too.

use super::sql::Value;
use super::suite::{NEW, NOW, Place, SOURCE, enroll, enrollment, fresh, request, subject, tenant, unknown};
use super::suite_captures::opening;
use super::*;

/// The query for every table and column, in order.
const SQLITE: &str = "SELECT CAST(m.name AS BLOB), CAST(c.name AS BLOB) FROM sqlite_master m, \
                      pragma_table_info(m.name) c WHERE m.type = 'table' ORDER BY m.name, c.cid";
const POSTGRES: &str = "SELECT convert_to(table_name::text, 'UTF8'), convert_to(column_name::text, 'UTF8') FROM \
                        information_schema.columns WHERE table_schema = 'public' ORDER BY table_name, ordinal_position";

/// The prefix of the copies of tables before any change.
const COPY: &str = "copy_of_";

struct Editor {
    database: Box<dyn Database>,
    /// The tables with their columns.
    tables: Vec<(String, Vec<String>)>,
}

impl Editor {
    fn of(place: &Place) -> Self {
        let database = place.location.open(Purpose::Manage).unwrap();
        let schema = if matches!(place.location, Location::Sqlite(_)) { SQLITE } else { POSTGRES };
        let mut editor = Self { database, tables: Vec::new() };
        for row in editor.rows(schema, &[]) {
            let [Value::Bytes(table), Value::Bytes(column)] = row.as_slice() else { panic!("{row:?}") };
            let [table, column] = [table, column].map(|name| String::from_utf8(name.clone()).unwrap());
            match editor.tables.last_mut().filter(|(last, _)| *last == table) {
                Some((_, columns)) => columns.push(column),
                None => editor.tables.push((table, vec![column])),
            }
        }
        editor
    }

    fn rows(&self, sql: &str, values: &[Value]) -> Vec<Vec<Value>> {
        // Statements must be `'static`: they are prepared by their text.
        let sql: &'static str = sql.to_owned().leak();
        let mut found = Vec::new();
        let mut read = |rows: &mut dyn Rows| {
            found = rows.rows(sql, values)?.iter().map(|row| row.columns().to_vec()).collect();
            Ok(())
        };
        self.database.read(&mut read).unwrap();
        found
    }

    /// Runs a statement; returns whether the database accepts it.
    fn run(&self, sql: &str, values: &[Value]) -> bool {
        let sql: &'static str = sql.to_owned().leak();
        self.database.write(&mut |rows| rows.run(sql, values).map(|_| ())).is_ok()
    }

    fn copy(&self) {
        for (table, _) in &self.tables {
            assert!(self.run(&format!("CREATE TABLE {COPY}{table} AS SELECT * FROM {table}"), &[]), "{table}");
        }
    }

    /// Restores a table from its copy.
    fn restore(&self, table: &str) {
        assert!(self.run(&format!("DELETE FROM {table}"), &[]), "{table}");
        assert!(self.run(&format!("INSERT INTO {table} SELECT * FROM {COPY}{table}"), &[]), "{table}");
    }
}

/// Fills every table of the store; returns the text of a valid key.
fn filled(place: &Place) -> String {
    let store = place.store();
    let (acme, ada) = (tenant(), subject("ada"));
    let base = enrollment(&acme, &ada, vec![fresh(1, 80.0), fresh(2, 81.0)], NEW);
    let consent = Some(Consent { reference: "form".into(), version: "1".into(), given_at: NOW });
    let base = Enrollment { terms: Terms { consent, expires_at: Some(NOW + 1_000_000_000) }, ..base };
    store.enroll(&Enrollment { remember: Some((&request("k", 1), b"an answer")), ..base }).unwrap();
    let base = enrollment(&acme, &ada, vec![fresh(1, 80.0)], Mode::Replace);
    store.enroll(&Enrollment { remember: Some((&request("l", 1), b"an answer")), ..base }).unwrap();
    for (name, seed) in [("bob", 3), ("eve", 4), ("ivy", 5), ("joe", 6)] {
        enroll(&store, name, seed);
    }
    for name in ["ivy", "joe"] {
        store.erase(&acme, &subject(name), NOW).unwrap();
    }
    store.note_failures(&acme, &[unknown("ada"), unknown("bob")], SOURCE, NOW).unwrap();
    let grant = |scopes: &str| Grant {
        tenant: Some(acme.clone()),
        scopes: scopes.parse().unwrap(),
        expires_at: Some(NOW + 1000),
        per_minute: Some(60),
    };
    let (_, text) = store.create_key(&grant("verify"), NOW).unwrap();
    let (revoked, _) = store.create_key(&grant("admin"), NOW).unwrap();
    store.revoke_key(&revoked.id, NOW + 1).unwrap();
    let entry = |id: &str| {
        let body = serde_json::json!({ "number": id });
        NewEntry { id: Some(id.to_owned()), at: NOW, kind: "policy", body }
    };
    store.append(&[entry("a"), entry("b")]).unwrap();
    for content in [b"a state".as_slice(), b"another"] {
        store.begin_capture(&opening("acme", Some("bob")), (NOW, NOW + 1_000_000_000), content).unwrap().unwrap();
    }
    assert!(store.check().unwrap().right());
    text.to_string()
}

/// Returns values that differ from this one.
fn others(value: &Value) -> Vec<Value> {
    match value {
        Value::Int(number) => {
            let mut others = vec![number.wrapping_add(1), number.wrapping_sub(1), 0, 1, 63, -1, i64::MAX];
            others.retain(|other| other != number);
            others.into_iter().map(Value::Int).collect()
        }
        Value::Bytes(bytes) => {
            let Some(last) = bytes.len().checked_sub(1) else { return vec![Value::Bytes(vec![0])] };
            let flipped = |at: usize| {
                let mut flipped = bytes.clone();
                flipped[at] ^= 1;
                Value::Bytes(flipped)
            };
            let longer = Value::Bytes([bytes, [0].as_slice()].concat());
            vec![
                flipped(0),
                flipped(last / 2),
                flipped(last),
                Value::Bytes(bytes[..last].to_vec()),
                longer,
                Value::Bytes(vec![]),
            ]
        }
    }
}

/// Returns every change to try: its name, table, statement and values.
fn changes(editor: &Editor) -> Vec<(String, String, String, Vec<Value>)> {
    let mut changes = Vec::new();
    for (table, columns) in &editor.tables {
        let rows = editor.rows(&format!("SELECT * FROM {table} ORDER BY 1"), &[]);
        assert!(!rows.is_empty(), "{table} has no row to change");
        let key = &columns[0];
        let mut change =
            |what: String, sql: String, values: Vec<Value>| changes.push((what, table.clone(), sql, values));
        for (at, column) in columns.iter().enumerate() {
            let set = format!("UPDATE {table} SET {column} = ?2 WHERE {key} = ?1");
            for other in others(&rows[0][at]) {
                change(format!("{table}.{column} = {other:?}"), set.clone(), vec![rows[0][0].clone(), other]);
            }
            for other in rows[1..].iter().filter(|other| other[at] != rows[0][at]) {
                change(
                    format!("{table}.{column} as in another row"),
                    set.clone(),
                    vec![rows[0][0].clone(), other[at].clone()],
                );
            }
        }
        for row in &rows {
            change(
                format!("a row of {table} less"),
                format!("DELETE FROM {table} WHERE {key} = ?1"),
                vec![row[0].clone()],
            );
        }
        change(format!("all rows of {table} less"), format!("DELETE FROM {table}"), vec![]);
        let places: Vec<_> = (1..=columns.len()).map(|at| format!("?{at}")).collect();
        let add = format!("INSERT INTO {table} VALUES ({})", places.join(", "));
        for key in others(&rows[0][0]) {
            change(format!("a row of {table} more"), add.clone(), [&[key], &rows[0][1..]].concat());
        }
    }
    changes
}

/// Returns whether neither opening the store nor its check reports a fault.
fn unnoticed(place: &Place) -> bool {
    Store::open(&place.location, &place.key_file, Purpose::Manage)
        .and_then(|store| store.check())
        .is_ok_and(|checked| checked.right())
}

/// Checks that every change by another program is refused or found.
pub fn every_change_is_refused_or_found(place: &Place) {
    let text = filled(place);
    let editor = Editor::of(place);
    let names: Vec<_> = editor.tables.iter().map(|(table, _)| table.as_str()).collect();
    assert_eq!(
        names,
        ["access", "answer", "capture", "erasure", "failure", "gone", "journal", "meta", "person"],
        "the tables of the schema"
    );
    editor.copy();
    let (mut tried, mut wrong) = (0, Vec::new());
    for (what, table, sql, values) in changes(&editor) {
        if !editor.run(&sql, &values) {
            continue;
        }
        tried += 1;
        if unnoticed(place) {
            wrong.push(what.clone());
        }
        let store = Store::open(&place.location, &place.key_file, Purpose::Manage);
        if ["access", "meta"].contains(&&*table)
            && store.is_ok_and(|store| store.authenticate(&text, NOW).is_ok() || store.keys_made() == Ok(false))
        {
            wrong.push(format!("{what}: keys are believed"));
        }
        editor.restore(&table);
        assert!(unnoticed(place), "{what} was put back");
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(tried > 150, "only {tried} changes were tried");
}

/// Restores older states: a key that was revoked since, a former person, fewer failures, a whole table.
pub fn what_once_was_is_found_when_it_is_put_back(place: &Place) {
    let text = filled(place);
    let store = place.store();
    let editor = Editor::of(place);
    editor.copy();
    let (key, _) = text.strip_prefix("lk_").unwrap().split_once('_').unwrap();
    store.revoke_key(key, NOW + 2).unwrap();
    let (acme, bob, again) = (tenant(), subject("bob"), request("m", 1));
    let more = enrollment(&acme, &bob, vec![fresh(3, 80.0)], Mode::Replace);
    store.enroll(&Enrollment { remember: Some((&again, b"an answer")), ..more }).unwrap();
    store.note_failures(&acme, &[unknown("bob")], SOURCE, NOW).unwrap();
    store.erase(&tenant(), &subject("eve"), NOW).unwrap();
    let body = serde_json::json!({});
    store.append(&[NewEntry { id: Some("c".into()), at: NOW, kind: "policy", body }]).unwrap();
    store.begin_capture(&opening("acme", None), (NOW, NOW + 1_000_000_000), b"a third").unwrap().unwrap();
    let now: Vec<_> = editor.tables.iter().map(|(table, _)| table.clone()).collect();
    for table in &now {
        assert!(editor.run(&format!("CREATE TABLE now_{table} AS SELECT * FROM {table}"), &[]));
    }
    let mut wrong = Vec::new();
    for table in &now {
        editor.restore(table);
        if unnoticed(place) {
            wrong.push(table);
        }
        if table == "access" {
            assert!(store.authenticate(&text, NOW + 3).is_err(), "a revoked key is good again");
        }
        assert!(editor.run(&format!("DELETE FROM {table}"), &[]));
        assert!(editor.run(&format!("INSERT INTO {table} SELECT * FROM now_{table}"), &[]));
    }
    assert!(wrong.is_empty() && unnoticed(place), "{wrong:?}");
}

#[test]
fn a_writer_of_the_file_changes_nothing_unnoticed() {
    every_change_is_refused_or_found(&Place::sqlite());
    what_once_was_is_found_when_it_is_put_back(&Place::sqlite());
}

#[test]
fn a_store_with_other_tables_is_refused_by_name_with_the_way_out() {
    let place = Place::sqlite();
    place.store();
    assert!(Editor::of(&place).run("UPDATE meta SET layout = 1", &[]));
    let refused = Store::open(&place.location, &place.key_file, Purpose::Manage).err().unwrap();
    assert_eq!((refused.kind.name(), refused.what.contains("found 1")), ("store_layout", true));
    assert!(refused.hint.is_some_and(|hint| hint.contains("store init")));
}
