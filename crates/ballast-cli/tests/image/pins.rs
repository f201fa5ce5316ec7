//! Tests that the pins of `.env` reach the process: a missing pin, the right pins, and each wrong pin.

use crate::ship::{Builder, Ship};
use crate::support::{stderr, stdout};
use crate::up::{Project, sums, variable};

#[test]
fn each_pin_of_the_environment_reaches_the_process_and_a_wrong_one_ends_its_start() {
    let Some(ship) = Ship::new("each_pin_of_the_environment_reaches_the_process_and_a_wrong_one_ends_its_start") else {
        return;
    };
    ship.image(Builder::Classic, "likeness");
    let right = sums(&ship.pins());
    let mut wrong = Vec::new();
    let project = Project::new(&ship, "pins", "likeness", "");
    project.environment("likeness", &[]);
    let none = project.compose(&["up", "-d"]);
    if none.status.success() || !stderr(&none).contains("the pin of facenet512_weights.h5, see .env.example") {
        wrong.push(format!("no .env: {none:?}"));
    }
    project.environment("likeness", &right);
    let found = project.up();
    for (name, sum) in &right {
        let reached = variable(&project.pid(), name);
        if reached.as_ref() != Some(sum) {
            wrong.push(format!("{name}: expected {sum} in the process, found {reached:?}; {}", found.verdict));
        }
    }
    project.down();
    for (at, (name, sum)) in right.iter().enumerate() {
        let other = format!("{:064x}", at + 1);
        let mut given = right.clone();
        given[at].1.clone_from(&other);
        project.environment("likeness", &given);
        let found = project.up();
        let said = project.logs();
        let reported = [*name, sum, &other].iter().all(|word| said.contains(*word));
        if found.verdict != "exit 12, no app" || !reported {
            wrong.push(format!("{name} wrong: {}: {said}", found.verdict));
        }
        project.down();
    }
    wrong.extend(without_compose(&ship));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Without compose, the program itself requires the pin.
fn without_compose(ship: &Ship) -> Vec<String> {
    let run = |required: &str| {
        let required = format!("DEEPFACE_SHA256_REQUIRED={required}");
        let args = ["run", "--rm", "--network", "none", "--env", &required, "likeness", "likeness", "--version"];
        let output = ship.docker.docker(&args);
        (output.status.code(), stdout(&output) + &stderr(&output))
    };
    let mut wrong = Vec::new();
    let (code, said) = run("true");
    if code != Some(12) || !said.contains("DEEPFACE_FACENET512_SHA256") {
        wrong.push(format!("required and not there: expected 12, found {code:?}: {said}"));
    }
    let (code, said) = run("false");
    if code != Some(0) {
        wrong.push(format!("not required and not there: expected 0, found {code:?}: {said}"));
    }
    wrong
}
