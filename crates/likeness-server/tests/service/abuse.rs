//! Attacks of a caller, each with a name. Each request is refused by name and occupies no memory afterwards, and the
//! next request is served.

use std::process::Command;
use std::thread;

use crate::raw::Raw;
use crate::support::{Answer, Ground, PATIENCE, Request, Service, wait_for};

fn liveness(bytes: &[u8]) -> Request {
    Request::post("/api/v1/liveness").file("file", bytes)
}

/// Returns the service's peak memory, in KiB.
fn peak(service: &Service) -> u64 {
    memory(service, "VmHWM:")
}

/// Returns a figure of the service's memory, in KiB.
fn memory(service: &Service, figure: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", service.child.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(figure)).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// Creates a PNG whose header claims this size and that contains no pixels.
fn png(width: u32, height: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, width, height);
    encoder.set_color(png::ColorType::Rgb);
    drop(encoder.write_header().unwrap());
    bytes
}

/// Encodes pixels as PNG.
fn photograph(width: u32, height: u32, pixels: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, width, height);
    encoder.set_color(png::ColorType::Rgb);
    encoder.write_header().unwrap().write_image_data(pixels).unwrap();
    bytes
}

/// Changes the size in a JPEG's frame header.
fn jpeg_of_size(mut jpeg: Vec<u8>, side: u16) -> Vec<u8> {
    let frame = jpeg.windows(2).position(|two| two == [0xff, 0xc0] || two == [0xff, 0xc2]).unwrap();
    jpeg[frame + 5..frame + 7].copy_from_slice(&side.to_be_bytes());
    jpeg[frame + 7..frame + 9].copy_from_slice(&side.to_be_bytes());
    jpeg
}

#[test]
fn image_bombs_are_refused_by_their_headers() {
    let ground = Ground::new();
    let service = ground.serve(&[], &[]).ready();
    let live = ground.image("anna.jpg");
    assert_eq!(service.ask(liveness(&live)).status, 200);
    let before = peak(&service);
    let zeros = photograph(12_000, 12_000, &vec![0; 12_000 * 12_000 * 3]);
    assert!(zeros.len() < 1 << 20, "{} bytes that stand for 432 million", zeros.len());
    let table = [
        ("png 60000 x 60000", png(60_000, 60_000)),
        ("png 2 billion wide", png(0x7fff_ffff, 1)),
        ("png of zeros", zeros),
        ("jpeg 65500 x 65500", jpeg_of_size(live.clone(), 65_500)),
    ];
    let wrong: Vec<_> = table
        .into_iter()
        .filter_map(|(row, bytes)| {
            let answer = service.ask(liveness(&bytes));
            (answer.problem() != (400, "INVALID_IMAGE".into())).then(|| format!("{row}: {answer:?}"))
        })
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    let grown = peak(&service) - before;
    assert!(grown < 64 << 10, "{grown} KiB more");
    assert_eq!(service.ask(liveness(&live)).status, 200);
}

#[test]
fn slow_headers_end_their_own_connection() {
    let ground = Ground::new();
    let service = ground.serve(&[], &[("REQUEST_TIMEOUT_SECONDS", "0.5")]);
    for beginning in ["", "G", "GET /api/v1/health/live HTTP/1.1\r\nhost: local"] {
        let mut slow = Raw::to(&service);
        slow.send(beginning.as_bytes());
        assert_eq!(slow.read(), "", "{beginning:?}");
    }
    let mut idle = Raw::to(&service);
    idle.send(b"GET /api/v1/health/live HTTP/1.1\r\nhost: localhost\r\n\r\n");
    assert!(idle.read().starts_with("HTTP/1.1 200"), "an idle connection is ended after its answer");
}

#[test]
fn connections_beyond_the_share_of_an_address_are_refused_by_name_until_one_ends() {
    // 128 descriptors are reserved for files, the database and probes; one address may use a quarter of the
    // others.
    const SHARE: usize = 2;
    let ground = Ground::new();
    let program = ground.program("serve");
    let mut limited = Command::new("sh");
    limited.arg("-c").arg(format!("ulimit -n {}; exec \"$0\" \"$@\"", 128 + 4 * SHARE));
    limited.arg(program.get_program()).args(program.get_args()).args(["--port", "0"]);
    let service = Service::start(limited, ground.dir.path().join("log"));
    let ask = |raw: &mut Raw, path: &str| {
        assert!(raw.send(format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n").as_bytes()));
        raw.first(PATIENCE).unwrap()
    };
    let mut open: Vec<_> = (0..SHARE).map(|_| Raw::to(&service)).collect();
    for raw in &mut open {
        assert!(ask(raw, "/api/v1/health/live").starts_with("HTTP/1.1 200"));
    }
    let late = |path: &str| ask(&mut Raw::to(&service), path);
    assert!(late("/api/v1/health/live").starts_with("HTTP/1.1 200"), "a probe");
    let refused = late("/openapi.json");
    assert!(refused.starts_with("HTTP/1.1 503") && refused.contains("connection: close"), "{refused}");
    open.pop();
    wait_for("its place", || late("/openapi.json").starts_with("HTTP/1.1 200").then_some(()));
}

#[test]
fn slow_bodies_hold_no_place_and_are_ended() {
    let ground = Ground::new();
    let service = ground.serve(&[], &[("REQUEST_TIMEOUT_SECONDS", "2")]).ready();
    let mut slow: Vec<_> = (0..40).map(|_| Raw::posting(&service, "/api/v1/liveness", Some(100_000))).collect();
    for raw in &mut slow {
        assert!(raw.send(b"--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"x\"\r\n\r\nxxxx"));
    }
    let answer = service.ask(liveness(&png(1, 1)));
    assert_eq!(answer.problem(), (400, "INVALID_IMAGE".into()));
    for raw in &mut slow {
        let reply = raw.read();
        assert!(reply.starts_with("HTTP/1.1 408") && reply.contains("REQUEST_TIMEOUT"), "{reply}");
    }
}

#[test]
fn chunked_floods_end_at_the_limit_and_their_answer_is_read() {
    let ground = Ground::new();
    let service = ground.serve(&[], &[("MAX_FILE_SIZE", "100000")]).ready();
    let head = b"--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"x\"\r\n\r\n";
    let chunk = [b'x'; 50_000];
    let mut over = Raw::posting(&service, "/api/v1/liveness", None);
    assert!(over.chunk(head));
    for _ in 0..6 {
        over.chunk(&chunk);
    }
    over.send(b"0\r\n\r\n");
    let reply = over.read();
    assert!(reply.starts_with("HTTP/1.1 413") && reply.contains("FILE_TOO_LARGE"), "{reply}");
    let mut endless = Raw::posting(&service, "/api/v1/liveness", None);
    assert!(endless.chunk(head));
    let taken = (0..100_000).take_while(|_| endless.chunk(&chunk)).count();
    assert!(taken < 100_000, "a flood of 5 GB was taken");
    assert_eq!(service.get("/api/v1/health").status, 200);
}

#[test]
fn a_body_that_says_it_is_too_long_is_refused_before_it_is_sent() {
    let ground = Ground::new();
    let service = ground.serve(&[], &[]);
    let mut long = Raw::posting(&service, "/api/v1/liveness", Some(1 << 40));
    let reply = long.read();
    assert!(reply.starts_with("HTTP/1.1 413") && reply.contains("FILE_TOO_LARGE"), "{reply}");
}

#[test]
fn wrong_types_giant_forms_paths_and_urls_are_no_photographs() {
    let ground = Ground::new();
    let service = ground.serve(&[], &[]).ready();
    let post = || Request::post("/api/v1/liveness");
    let fields = (0..10_000).fold(post(), |form, number| form.text(&format!("field{number}"), "x"));
    let file = |text: &str| post().file("file", text.as_bytes());
    let table = [
        ("plain", post().body("text/plain", "x"), 415),
        ("json", post().body("application/json", "{}"), 415),
        ("urlencoded", post().body("application/x-www-form-urlencoded", "file=x"), 415),
        ("giant form", fields, 400),
        (
            "giant text",
            Request::post("/api/v1/faces/detect-all").file("file", &png(9, 9)).text("max_faces", &"9".repeat(99_999)),
            400,
        ),
        ("a path", post().text("file", "/etc/passwd"), 415),
        ("a relative path", post().text("file", "../../shared/images/anna.jpg"), 415),
        ("a file URL", post().text("file", "file:///etc/passwd"), 415),
        ("a URL", post().text("file", "http://169.254.169.254/latest/meta-data"), 415),
        ("svg", file("<svg xmlns=\"http://www.w3.org/2000/svg\"><image href=\"/etc/passwd\"/></svg>"), 415),
        ("pdf", file("%PDF-1.7"), 415),
        ("empty", file(""), 400),
    ];
    let wrong: Vec<_> = table
        .into_iter()
        .filter_map(|(row, request, status)| {
            let answer = service.ask(request);
            let quiet = !answer.text().contains("root:");
            (answer.status != status || !quiet).then(|| format!("{row}: {answer:?}"))
        })
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn beyond_the_queue_is_overloaded_and_read_and_health_never_waits() {
    let ground = Ground::new();
    let service = ground.serve(&[], &[]).ready();
    // More requests than may run and wait.
    let count = 16 * std::thread::available_parallelism().map_or(1, usize::from) + 30;
    // Large photographs, so that each request takes long and is refused while it is still being sent.
    let large = photograph(1100, 1100, &vec![90; 1100 * 1100 * 3]);
    let form = || Request::post("/api/v1/faces/detect-all").text("session_id", &"x".repeat(4_000)).file("file", &large);
    let answers: Vec<Answer> = thread::scope(|scope| {
        let threads: Vec<_> = (0..count).map(|_| scope.spawn(|| service.ask(form()))).collect();
        for _ in 0..20 {
            assert_eq!(service.get("/api/v1/health/live").status, 200);
        }
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let refused = answers.iter().filter(|answer| answer.status == 503).count();
    let odd = answers.iter().find(|answer| {
        let right = answer.status == 200 || answer.problem() == (503, "OVERLOADED".into());
        !right || (answer.status == 503 && answer.header("retry-after").is_none())
    });
    assert!(odd.is_none(), "{odd:?}");
    assert!(refused > 0 && refused < count, "{refused} of {count} were refused");
}

#[test]
fn after_the_largest_photographs_the_memory_returns_to_what_it_was() {
    if !testkit::need::time("after_the_largest_photographs_the_memory_returns_to_what_it_was") {
        return;
    }
    let ground = Ground::new();
    let service = ground.serve(&[], &[("QUEUE_WAIT_SECONDS", "600"), ("REQUEST_TIMEOUT_SECONDS", "600")]).ready();
    let small = || service.ask(liveness(&ground.image("anna.jpg")));
    let before = {
        let answers = [small(), small(), small()];
        assert!(answers.iter().all(|answer| answer.status == 200), "{answers:?}");
        memory(&service, "VmRSS:")
    };
    // The largest photograph of each kind: reduced, and in DeepFace's canvas.
    let (reduced, whole) =
        (photograph(5000, 5000, &vec![90; 75_000_000]), photograph(2120, 2120, &vec![90; 13_483_200]));
    let form = || Request::post("/deepface/represent").text("enforce_detection", "false").file("img", &whole);
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| assert_eq!(service.ask(form()).status, 200));
            scope.spawn(|| assert_eq!(service.ask(liveness(&reduced)).problem().1, "FACE_NOT_DETECTED"));
        }
    });
    let after = memory(&service, "VmRSS:");
    let most = peak(&service);
    // Buffers for the next photographs, and what lies between used blocks.
    assert!(after < before + (64 << 10), "before {before} KiB, after {after} KiB, at most {most} KiB");
}

#[test]
fn a_photograph_cropped_to_its_face_is_never_called_a_spoof() {
    let Some(ground) = Ground::golden("crops") else { return };
    let service = ground.serve(&[], &[]).ready();
    let mut wrong = Vec::new();
    let mut cropped = 0;
    for entry in std::fs::read_dir(ground.data.join("images")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let bytes = ground.image(&name);
        let found = service.ask(Request::post("/api/v1/faces/detect-all").file("file", &bytes)).json();
        let jpeg = likeness::image::decode(&bytes, &likeness::image::Limits::default()).unwrap();
        for face in found["faces"].as_array().unwrap() {
            let side = |key: &str| usize::try_from(face["bounding_box"][key].as_i64().unwrap().max(0)).unwrap();
            let (x, y) = (side("x").min(jpeg.width() - 1), side("y").min(jpeg.height() - 1));
            let (width, height) = (side("width").min(jpeg.width() - x), side("height").min(jpeg.height() - y));
            let pixels: Vec<u8> = (y..y + height)
                .flat_map(|row| &jpeg.data()[(row * jpeg.width() + x) * 3..][..width * 3])
                .copied()
                .collect();
            let rgb: Vec<u8> = pixels.chunks_exact(3).flat_map(|bgr| [bgr[2], bgr[1], bgr[0]]).collect();
            let crop = photograph(width as u32, height as u32, &rgb);
            let answer = service.ask(liveness(&crop));
            cropped += 1;
            if answer.text().contains("\"spoof\"") {
                wrong.push(format!("{name} {}: {answer:?}", face["bounding_box"]));
            }
        }
    }
    assert!(cropped >= 10, "only {cropped} faces were cropped");
    assert!(wrong.is_empty(), "{wrong:#?}");
}
