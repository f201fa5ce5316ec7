//! A lock file that is accepted keeps the promises of its types, whatever it says.
#![no_main]

use ballast::lock::Lock;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let Ok(lock) = Lock::parse(text) else { return };
    assert!(!lock.weights.is_empty());
    for weight in &lock.weights {
        assert!(weight.path.names().all(|name| !name.is_empty() && name != "." && name != ".."), "{}", weight.path);
    }
    let roots = std::iter::once(&lock.store.path).chain(&lock.store.baked);
    let dirs = lock.dirs.iter().flat_map(|dir| std::iter::once(&dir.path).chain(&dir.fallback));
    for root in roots.chain(dirs) {
        let path = root.as_path();
        assert!(path.is_absolute() && path.parent().is_some(), "{}", path.display());
        assert!(!path.starts_with("/etc") && !path.starts_with("/proc") && !path.starts_with("/sys"));
        assert!(path.components().all(|part| part.as_os_str() != ".."));
    }
    // The environment repeats the text itself: any answer is good, none is a panic.
    let _ = lock.check_pins(|name| Some(name.to_owned()));
    let pins = |name: &str| {
        let of = |weight: &&ballast::lock::Weight| weight.pin_env.as_ref().is_some_and(|env| env.as_str() == name);
        lock.weights.iter().find(of).map(|weight| weight.sha256.to_string())
    };
    let one_name_each = {
        let mut names: Vec<_> = lock.weights.iter().filter_map(|weight| weight.pin_env.as_ref()).collect();
        let all = names.len();
        names.sort_by_key(|name| name.as_str().to_owned());
        names.dedup();
        names.len() == all
    };
    let switch = lock.pins.required_when.as_ref().is_none_or(|name| pins(name.as_str()).is_none());
    if one_name_each && switch {
        assert_eq!(lock.check_pins(pins), Ok(()), "the pins themselves must hold");
    }
});
