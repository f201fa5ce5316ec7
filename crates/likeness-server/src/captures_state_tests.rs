//! Captures that are followed: what counts, under load, after a restart, on two replicas at once, and how many there are.

use super::*;

/// Runs every test on the database of a place.
pub fn all(place: &Place) {
    honest(place);
    hidden(place);
    at_once(place);
    loaded(place);
    forgotten(place);
    restarted(place);
    counted(place);
    crowded(place);
}

/// A capture that is followed counts once, whichever replica takes each frame.
fn honest(place: &Place) {
    let mut scene = Scene::new(place);
    scene.finish("");
    let seen = scene.trail.seen();
    let ann = scene.replicas[0].pseudonym(&tenant(), &subject(ANN), NOW / 1000).unwrap();
    assert_eq!((seen.subject, ann.is_some()), (ann, true), "the last frame's record is about the person");
    let holds = seen.capture.unwrap().holds;
    let live = |hold: &trail::HoldLiveness| (3..=6).contains(&hold.live) && hold.median == Some(0.95);
    assert!(holds.len() >= 4 && holds.iter().all(live), "{holds:?}");
    assert_eq!((used(&mut scene, CapturePurpose::Verify, "acme", Some(ANN)), scene.rule()), (Ok(()), None));
}

/// A caller learns that the capture is complete; only the record says that its holds are not live.
fn hidden(place: &Place) {
    let mut scene = Scene::new(place);
    scene.finish("spoof");
    assert!(matches!(scene.capture.session.outcome(), Some(Outcome::Completed { .. })));
    assert_eq!(
        (used(&mut scene, CapturePurpose::Verify, "acme", Some(ANN)), scene.rule()),
        (Err(REFUSED), Some("not_live"))
    );
}

/// The same state on two replicas at once: at most one frame is taken, and the capture ends.
fn at_once(place: &Place) {
    let mut scene = Scene::new(place);
    (0..4).for_each(|_| scene.next("").unwrap());
    let both = Some(Arc::new(Barrier::new(2)));
    let (id, previous, at) = (scene.id.clone(), scene.capture.answer.clone(), scene.at + 500);
    let send = |replica: usize| {
        let captures = Captures {
            store: scene.replicas[replica].clone(),
            examiner: Film { both: both.clone(), busy: false },
            policy: Policy::default(),
            clock: Box::new(move || at),
        };
        let (id, previous) = (id.clone(), previous.clone());
        async move {
            let arrival = Arrival { id: &id, previous: &previous, bytes: Bytes::from_static(b"look_straight"), at };
            captures.frame(arrival, |_| true).await.map(|_| ()).map_err(|problem| problem.code())
        }
    };
    let (one, other) = scene.runtime.block_on(async { tokio::join!(send(0), send(1)) });
    let mut found = [one, other];
    found.sort_by_key(Result::is_err);
    assert_eq!(found, [Ok(()), Err(Code::CaptureEnded)]);
    assert_eq!(scene.next(""), Err(Code::CaptureEnded));
}

/// Slow answers, and frames for which there is no core, do not end a capture; too many of the latter do.
fn loaded(place: &Place) {
    let mut scene = Scene::new(place);
    while scene.capture.session.outcome().is_none() {
        scene.next("").unwrap();
        (scene.at, scene.work) = (scene.at + scene.work, 400);
        if scene.sent.len() == 6 {
            (scene.work, scene.busy) = (1_500, true);
            // The client sends each frame again after a second, as the answer says.
            (0..2).for_each(|_| assert_eq!((scene.next(""), scene.at += 2_000), (Err(Code::Overloaded), ())));
            (scene.work, scene.busy) = (400, false);
        }
    }
    assert_eq!(used(&mut scene, CapturePurpose::Verify, "acme", Some(ANN)), Ok(()));
    let mut scene = Scene::new(place);
    (0..6).for_each(|_| scene.next("").unwrap());
    scene.busy = true;
    (0..30).for_each(|_| assert_eq!(scene.next(""), Err(Code::Overloaded)));
    scene.busy = false;
    scene.next("").unwrap();
    // Which rule comes first depends on the time that the step had used.
    assert!(matches!(scene.rule(), Some("late" | "face_lost")), "{:?}", scene.rule());
}

/// The embedding leaves the state when the outcome is known, whatever it is; an open capture keeps one.
fn forgotten(place: &Place) {
    let mut scene = Scene::new(place);
    let embeddings = |scene: &Scene| {
        let id = unhex_capture(&scene.id).unwrap();
        let content = scene.replicas[0].capture(&id).unwrap().unwrap().content;
        String::from_utf8(content).unwrap().matches("\"numbers\"").count()
    };
    (0..20).for_each(|_| scene.next("").unwrap());
    assert_eq!(embeddings(&scene), 1);
    scene.finish("");
    assert_eq!(embeddings(&scene), 0);
    let mut scene = Scene::new(place);
    (0..4).for_each(|_| scene.next("").unwrap());
    assert_eq!((replay(&mut scene, 0), embeddings(&scene)), (Err(Code::CaptureEnded), 0));
}

/// After a restart the capture goes on where it was.
fn restarted(place: &Place) {
    let mut scene = Scene::new(place);
    (0..6).for_each(|_| scene.next("").unwrap());
    scene.replicas = [place.store(), place.store()];
    scene.finish("");
    assert_eq!(used(&mut scene, CapturePurpose::Verify, "acme", Some(ANN)), Ok(()));
}

/// Ten captures that show no live person lock the person, as ten failed comparisons do; others count as none.
fn counted(place: &Place) {
    let (tenant, mut wrong) = (Tenant::new("counted").unwrap(), Vec::new());
    let table = [
        ("spoof", "verify", "", true),
        ("", "verify", "a photograph", true),
        ("", "verify", "", false),
        ("", "enroll", "a photograph", false),
    ];
    for (at, (words, purpose, photograph, locks)) in table.into_iter().enumerate() {
        let name = format!("person-{at}");
        let bound = bound(purpose.parse().unwrap(), tenant.as_str(), Some(&name));
        for _ in 0..10 {
            let mut scene = Scene::bound(place, &bound);
            scene.finish(words);
            let best = scene.best();
            let _ = scene.use_up(&bound, if photograph.is_empty() { &best } else { photograph });
        }
        let now = NOW / 1000 + 60;
        let spent = place.store().spent(&tenant, &Subject::new(&name).unwrap(), SOURCE, now).unwrap();
        if spent.map(|spent| spent.limit) != locks.then_some(Limit::Address) {
            wrong.push(format!("{words} {purpose} {photograph}: {spent:?}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// A person has only so many captures; the refusal says what to do and when.
fn crowded(place: &Place) {
    let scene = Scene::new(place);
    let bound = bound(CapturePurpose::Verify, "crowded", Some(ANN));
    let policy = Policy::default();
    let begin = |at| {
        let begun = begin(&scene.replicas[0], (bound.clone(), "key"), &policy, NOW + at);
        scene.runtime.block_on(begun).map(|_| ())
    };
    (0..20).for_each(|_| begin(0).unwrap());
    let refused = begin(100_000).unwrap_err();
    assert_eq!((refused.code(), begin(180_000).is_ok()), (Code::RateLimitExceeded, true));
    let body = refused.body("request");
    assert_eq!((&body["scope"], &body["retry_after_seconds"]), (&"captures_person".into(), &80.into()), "{body}");
    assert!(refused.message().contains("use up a complete one, or begin another in 80 s"), "{refused:?}");
}
